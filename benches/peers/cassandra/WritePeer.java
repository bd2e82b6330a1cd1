import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.apache.cassandra.config.CassandraRelevantProperties;
import org.apache.cassandra.config.DatabaseDescriptor;
import org.apache.cassandra.cql3.statements.schema.CreateTableStatement;
import org.apache.cassandra.db.ColumnFamilyStore;
import org.apache.cassandra.db.Directories;
import org.apache.cassandra.db.Keyspace;
import org.apache.cassandra.db.compaction.CompactionTask;
import org.apache.cassandra.db.compaction.OperationType;
import org.apache.cassandra.db.lifecycle.LifecycleTransaction;
import org.apache.cassandra.dht.Murmur3Partitioner;
import org.apache.cassandra.io.sstable.CQLSSTableWriter;
import org.apache.cassandra.io.sstable.Descriptor;
import org.apache.cassandra.io.sstable.format.SSTableReader;
import org.apache.cassandra.io.util.File;
import org.apache.cassandra.schema.KeyspaceMetadata;
import org.apache.cassandra.schema.KeyspaceParams;
import org.apache.cassandra.schema.Schema;
import org.apache.cassandra.schema.SchemaTransformations;
import org.apache.cassandra.schema.TableMetadata;
import org.apache.cassandra.utils.ByteBufferUtil;

/**
 * Measures how Cassandra makes SSTables in this process, and prints the same lines of JSON as cqlite-bench.
 *
 *   build kv|wide sorted|unsorted VALUES DIR   CQLSSTableWriter, of the values that `cqlite-bench values` wrote
 *   compact OUT DIR...                         a compaction of all SSTables of `kv` in the directories, none purged
 */
public final class WritePeer
{
    static final int REPS = Integer.getInteger("reps", 3);
    static final int ROUND = Integer.getInteger("round", 0);
    static final int WARM = Integer.getInteger("warm", 2);
    static final String OPTIONS = " WITH compression = {'class': 'LZ4Compressor', 'chunk_length_in_kb': 16}";
    static final String KV = "CREATE TABLE bench.kv (k text PRIMARY KEY, v text, n bigint)" + OPTIONS;
    static final String WIDE = "CREATE TABLE bench.wide (p int, c bigint, a int, b text, d double, PRIMARY KEY (p, c))" + OPTIONS;
    static final OperatingSystemMXBean OS = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

    /** Makes SSTables in an empty directory; returns how many rows it took. */
    interface Work
    {
        long run(Path directory) throws Exception;
    }

    public static void main(String[] args) throws Exception
    {
        DatabaseDescriptor.toolInitialization();
        // A node looks nothing up in what it compacts; without one every partition would be.
        DatabaseDescriptor.setSSTablePreemptiveOpenIntervalInMiB(-1);
        if (args[0].equals("build"))
            measure("build " + args[2], args[1], Path.of(args[4]), directory -> build(args[1], args[2].equals("sorted"), Path.of(args[3]), directory));
        else if (args[0].equals("compact"))
            compact(Path.of(args[1]), List.of(args).subList(2, args.length));
        else
            throw new IllegalArgumentException(args[0]);
        System.exit(0);
    }

    static long build(String table, boolean sorted, Path values, Path directory) throws Exception
    {
        boolean kv = table.equals("kv");
        String insert = kv ? "INSERT INTO bench.kv (k, n, v) VALUES (?, ?, ?) USING TIMESTAMP ?"
                           : "INSERT INTO bench.wide (p, c, a, d, b) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?";
        CQLSSTableWriter.Builder builder = CQLSSTableWriter.builder()
                                                           .inDirectory(directory.toString())
                                                           .forTable(kv ? KV : WIDE)
                                                           .using(insert)
                                                           .withPartitioner(Murmur3Partitioner.instance)
                                                           .withFormat(DatabaseDescriptor.getSelectedSSTableFormat());
        if (sorted)
            builder.sorted();
        int columns = kv ? 3 : 5;
        long rows = 0;
        try (FileChannel file = FileChannel.open(values); CQLSSTableWriter writer = builder.build())
        {
            MappedByteBuffer in = file.map(FileChannel.MapMode.READ_ONLY, 0, file.size());
            while (in.hasRemaining())
            {
                List<ByteBuffer> row = new ArrayList<>(columns + 1);
                long timestamp = in.getLong();
                for (int i = 0; i < columns; i++)
                {
                    byte[] value = new byte[in.getInt()];
                    in.get(value);
                    row.add(ByteBuffer.wrap(value));
                }
                row.add(ByteBufferUtil.bytes(timestamp));
                writer.rawAddRow(row);
                rows++;
            }
        }
        return rows;
    }

    static void compact(Path out, List<String> directories) throws Exception
    {
        TableMetadata table = CreateTableStatement.parse(KV, "bench").partitioner(Murmur3Partitioner.instance).build();
        CassandraRelevantProperties.FORCE_LOAD_LOCAL_KEYSPACES.setBoolean(true);
        Schema.instance.transform(SchemaTransformations.addKeyspace(KeyspaceMetadata.create("bench", KeyspaceParams.simple(1)), true));
        Schema.instance.transform(SchemaTransformations.addTable(table, true));
        ColumnFamilyStore store = Keyspace.openWithoutSSTables("bench").getColumnFamilyStore("kv");
        measure("compact", "kv", out, directory -> {
            List<SSTableReader> inputs = new ArrayList<>();
            long rows = 0;
            for (String input : directories)
                for (Path data : list(Path.of(input)))
                    if (data.toString().endsWith("-Data.db"))
                    {
                        Descriptor descriptor = Descriptor.fromFileWithComponent(new File(data), false).left;
                        SSTableReader sstable = SSTableReader.openNoValidation(descriptor, descriptor.discoverComponents(), store);
                        rows += sstable.getSSTableMetadata().totalRows;
                        inputs.add(sstable);
                    }
            Directories.DataDirectory place = new Directories.DataDirectory(new File(directory));
            Directories everywhere = new Directories(table, new Directories.DataDirectory[]{ place })
            {
                public Directories.DataDirectory getWriteableLocation(long bytes)
                {
                    return place;
                }

                public File getLocationForDisk(Directories.DataDirectory disk)
                {
                    return new File(directory);
                }
            };
            try (LifecycleTransaction transaction = LifecycleTransaction.offline(OperationType.COMPACTION, inputs))
            {
                new CompactionTask(store, transaction, 0, true)
                {
                    protected Directories getDirectories()
                    {
                        return everywhere;
                    }
                }.execute(null);
            }
            return rows;
        });
    }

    static List<Path> list(Path directory) throws Exception
    {
        try (Stream<Path> files = Files.list(directory))
        {
            return files.toList();
        }
    }

    static void measure(String name, String table, Path directory, Work work) throws Exception
    {
        double[] wall = new double[REPS], cpu = new double[REPS];
        long rows = 0;
        for (int rep = -WARM; rep < REPS; rep++)
        {
            delete(directory);
            Files.createDirectories(directory);
            System.gc();
            long start = System.nanoTime(), cpuStart = OS.getProcessCpuTime();
            rows = work.run(directory);
            if (rep < 0)
                continue;
            wall[rep] = (System.nanoTime() - start) / 1e9;
            cpu[rep] = (OS.getProcessCpuTime() - cpuStart) / 1e9;
        }
        delete(directory);
        Arrays.sort(wall);
        Arrays.sort(cpu);
        double median = wall[REPS / 2];
        String format = DatabaseDescriptor.getSelectedSSTableFormat().name() + "-" + DatabaseDescriptor.getSelectedSSTableFormat().getLatestVersion();
        System.out.printf(Locale.ROOT,
                          "{\"by\":\"cassandra\",\"round\":%d,\"bench\":\"%s\",\"table\":\"%s\",\"fmt\":\"%s\",\"ops\":%d,\"unit\":\"rows\",\"rows\":%d,\"median_s\":%.5f,\"min_s\":%.5f,\"cpu_s\":%.5f,\"per_s\":%.0f,\"best_per_s\":%.0f,\"per_cpu_s\":%.0f,\"peak_rss_mib\":%.0f}%n",
                          ROUND, name, table, format, rows, rows, median, wall[0], cpu[REPS / 2], rows / median, rows / wall[0], rows / cpu[REPS / 2], Peer.peakRssMiB());
        System.out.flush();
    }

    static void delete(Path directory) throws Exception
    {
        if (!Files.exists(directory))
            return;
        List<Path> all;
        try (Stream<Path> files = Files.walk(directory))
        {
            all = new ArrayList<>(files.toList());
        }
        Collections.sort(all, Comparator.reverseOrder());
        for (Path path : all)
            Files.deleteIfExists(path);
    }
}
