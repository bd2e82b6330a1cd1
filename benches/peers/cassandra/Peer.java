import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.apache.cassandra.config.DatabaseDescriptor;
import org.apache.cassandra.cql3.QueryProcessor;
import org.apache.cassandra.cql3.statements.schema.CreateTableStatement;
import org.apache.cassandra.db.Clustering;
import org.apache.cassandra.db.ClusteringBound;
import org.apache.cassandra.db.ConsistencyLevel;
import org.apache.cassandra.db.Slice;
import org.apache.cassandra.db.Slices;
import org.apache.cassandra.db.filter.ColumnFilter;
import org.apache.cassandra.db.rows.Cell;
import org.apache.cassandra.db.rows.Row;
import org.apache.cassandra.db.rows.Unfiltered;
import org.apache.cassandra.db.rows.UnfilteredRowIterator;
import org.apache.cassandra.dht.Murmur3Partitioner;
import org.apache.cassandra.io.sstable.Descriptor;
import org.apache.cassandra.io.sstable.ISSTableScanner;
import org.apache.cassandra.io.sstable.SSTableReadsListener;
import org.apache.cassandra.io.sstable.format.SSTableReader;
import org.apache.cassandra.io.util.File;
import org.apache.cassandra.schema.TableMetadata;
import org.apache.cassandra.schema.TableMetadataRef;
import org.apache.cassandra.service.CassandraDaemon;
import org.apache.cassandra.utils.ByteBufferUtil;

/**
 * Measures Cassandra's own readers on one SSTable in this process, after warm-up, with the same queries as cqlite-bench
 * asks, and prints the same lines of JSON. Its sums must equal those of cqlite-bench.
 *
 *   kv DIR ROWS FIGURE...                scan, hit, miss
 *   wide DIR PARTITIONS ROWS FIGURE...   scan, slice, slice-start, slice-middle, slice-end, row, and reversed-slice...
 *   prepare                              makes the two tables in the node that the configuration describes
 */
public final class Peer
{
    static final int REPS = Integer.getInteger("reps", 7);
    static final int ROUND = Integer.getInteger("round", 0);
    static final int WARM = 3;
    static final String OPTIONS = " compression = {'class': 'LZ4Compressor', 'chunk_length_in_kb': 16}";
    static final String KV = "CREATE TABLE bench.kv (k text PRIMARY KEY, v text, n bigint)";
    static final String WIDE = "CREATE TABLE bench.wide (p int, c bigint, a int, b text, d double, PRIMARY KEY (p, c))";
    static final OperatingSystemMXBean OS = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

    /** What was read: see cqlite-bench's Touched. */
    static final class Touched
    {
        long rows, bytes, sum;

        void all(UnfilteredRowIterator partition)
        {
            bytes += partition.partitionKey().getKey().remaining();
            while (partition.hasNext())
            {
                Unfiltered unfiltered = partition.next();
                if (!unfiltered.isRow())
                    continue;
                Row row = (Row) unfiltered;
                rows++;
                for (ByteBuffer value : row.clustering().getBufferArray())
                    bytes += value.remaining();
                for (Cell<?> cell : row.cells())
                {
                    ByteBuffer value = cell.buffer();
                    bytes += value.remaining();
                    if (value.hasRemaining())
                        sum += value.get(value.position());
                    sum += cell.timestamp();
                }
            }
        }
    }

    interface Operation
    {
        void run(int i, Touched touched) throws Exception;
    }

    public static void main(String[] args) throws Exception
    {
        switch (args[0])
        {
            case "prepare":
                prepare();
                break;
            case "kv":
                new Peer(KV, args[1]).kv(Long.parseLong(args[2]), args, 3);
                break;
            case "wide":
                new Peer(WIDE, args[1]).wide(Integer.parseInt(args[2]), Integer.parseInt(args[3]), args, 4);
                break;
            default:
                throw new IllegalArgumentException(args[0]);
        }
        System.exit(0);
    }

    static void prepare()
    {
        new CassandraDaemon(true).activate();
        execute("CREATE KEYSPACE IF NOT EXISTS bench WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}");
        execute(KV + " WITH ID = 00000000-0000-0000-0000-000000000001 AND" + OPTIONS);
        execute(WIDE + " WITH ID = 00000000-0000-0000-0000-000000000002 AND" + OPTIONS);
    }

    static void execute(String statement)
    {
        QueryProcessor.process(statement, ConsistencyLevel.ONE);
    }

    final TableMetadata metadata;
    final SSTableReader sstable;
    final String format;

    Peer(String table, String directory) throws Exception
    {
        DatabaseDescriptor.toolInitialization();
        metadata = CreateTableStatement.parse(table + " WITH" + OPTIONS, "bench").partitioner(Murmur3Partitioner.instance).build();
        Path data;
        try (Stream<Path> files = Files.list(Path.of(directory)))
        {
            data = files.filter(file -> file.toString().endsWith("-Data.db")).findFirst().orElseThrow();
        }
        Descriptor descriptor = Descriptor.fromFileWithComponent(new File(data), false).left;
        sstable = SSTableReader.open(null, descriptor, null, TableMetadataRef.forOfflineTools(metadata), false, false);
        format = descriptor.version.format.name() + "-" + descriptor.version;
    }

    void kv(long rows, String[] figures, int first) throws Exception
    {
        int count = 200_000;
        for (String figure : List.of(figures).subList(first, figures.length))
            switch (figure)
            {
                case "scan":
                    scan();
                    break;
                case "hit":
                case "miss":
                    ByteBuffer[] keys = new ByteBuffer[count];
                    for (int i = 0; i < count; i++)
                        keys[i] = key(figure.equals("hit") ? "user" : "miss", query(i, rows));
                    measure("point " + figure, count, (i, touched) -> read(keys[i], Slices.ALL, false, touched));
                    break;
                default:
                    throw new IllegalArgumentException(figure);
            }
    }

    void wide(int partitions, int rows, String[] figures, int first) throws Exception
    {
        int count = 20_000;
        for (String figure : List.of(figures).subList(first, figures.length))
        {
            if (figure.equals("scan"))
            {
                scan();
                continue;
            }
            boolean single = figure.equals("row"), reversed = figure.startsWith("reversed-");
            int starts = single ? rows : Math.max(rows - 100, 1), part = single ? rows : Math.min(starts, 1000), among = part, from = 0;
            String place = "";
            switch (reversed ? figure.substring("reversed-".length()) : figure)
            {
                case "row":
                case "slice":
                    among = starts;
                    break;
                case "slice-start":
                    place = " at start";
                    break;
                case "slice-middle":
                    place = " in middle";
                    from = (starts - part) / 2;
                    break;
                case "slice-end":
                    place = " at end";
                    from = starts - part;
                    break;
                default:
                    throw new IllegalArgumentException(figure);
            }
            int[] p = new int[count], c = new int[count];
            for (int i = 0; i < count; i++)
            {
                p[i] = (int) query(2 * i, partitions);
                c[i] = from + (int) query(2 * i + 1, among);
            }
            String name = single ? "single row" : "slice 100 rows" + (reversed ? " reversed" : "") + place;
            int length = single ? 1 : 100;
            measure(name, count, (i, touched) -> read(ByteBufferUtil.bytes(p[i]), slice(c[i], c[i] + length), reversed, touched));
        }
    }

    Slices slice(long start, long end)
    {
        return Slices.with(metadata.comparator, Slice.make(ClusteringBound.inclusiveStartOf(clustering(start)), ClusteringBound.exclusiveEndOf(clustering(end))));
    }

    static Clustering<?> clustering(long row)
    {
        return Clustering.make(ByteBufferUtil.bytes(row * 10));
    }

    void read(ByteBuffer key, Slices slices, boolean reversed, Touched touched)
    {
        try (UnfilteredRowIterator partition = sstable.rowIterator(Murmur3Partitioner.instance.decorateKey(key), slices, ColumnFilter.all(metadata), reversed, SSTableReadsListener.NOOP_LISTENER))
        {
            touched.all(partition);
        }
    }

    void scan() throws Exception
    {
        measure("scan", 1, (i, touched) -> {
            try (ISSTableScanner scanner = sstable.getScanner())
            {
                while (scanner.hasNext())
                    try (UnfilteredRowIterator partition = scanner.next())
                    {
                        touched.all(partition);
                    }
            }
        });
    }

    /** Wall and CPU times are medians; latencies are taken in one more run. One operation is a scan: its rows are counted. */
    void measure(String name, int count, Operation operation) throws Exception
    {
        Touched touched = null;
        for (int rep = 0; rep < WARM; rep++)
            touched = all(count, operation);
        double[] wall = new double[REPS], cpu = new double[REPS];
        for (int rep = 0; rep < REPS; rep++)
        {
            long start = System.nanoTime(), cpuStart = OS.getProcessCpuTime();
            touched = all(count, operation);
            wall[rep] = (System.nanoTime() - start) / 1e9;
            cpu[rep] = (OS.getProcessCpuTime() - cpuStart) / 1e9;
        }
        String latencies = "";
        if (count > 1)
        {
            long[] nanos = new long[count];
            Touched ignored = new Touched();
            for (int i = 0; i < count; i++)
            {
                long start = System.nanoTime();
                operation.run(i, ignored);
                nanos[i] = System.nanoTime() - start;
            }
            Arrays.sort(nanos);
            latencies = String.format(Locale.ROOT, "\"p50_us\":%.2f,\"p99_us\":%.2f,", nanos[count / 2] / 1e3, nanos[(int) Math.ceil(count * 0.99) - 1] / 1e3);
        }
        Arrays.sort(wall);
        Arrays.sort(cpu);
        double median = wall[REPS / 2], ops = count > 1 ? count : touched.rows;
        System.out.printf(Locale.ROOT,
                          "{\"by\":\"cassandra\",\"round\":%d,\"bench\":\"%s\",\"table\":\"%s\",\"fmt\":\"%s\",\"ops\":%.0f,\"unit\":\"%s\",\"rows\":%d,\"median_s\":%.5f,\"min_s\":%.5f,\"cpu_s\":%.5f,\"per_s\":%.0f,\"best_per_s\":%.0f,\"per_cpu_s\":%.0f,\"raw_mb_per_s\":%.1f,%s\"peak_rss_mib\":%.0f,\"check\":%d}%n",
                          ROUND, name, metadata.name, format, ops, count > 1 ? "reads" : "rows", touched.rows, median, wall[0], cpu[REPS / 2], ops / median,
                          ops / wall[0], ops / cpu[REPS / 2], touched.bytes / 1e6 / median, latencies, peakRssMiB(), touched.sum);
        System.out.flush();
    }

    static Touched all(int count, Operation operation) throws Exception
    {
        Touched touched = new Touched();
        for (int i = 0; i < count; i++)
            operation.run(i, touched);
        return touched;
    }

    static double peakRssMiB() throws Exception
    {
        try (Stream<String> lines = Files.lines(Path.of("/proc/self/status")))
        {
            return lines.filter(line -> line.startsWith("VmHWM")).mapToLong(line -> Long.parseLong(line.replaceAll("\\D", ""))).findFirst().orElse(0) / 1024.0;
        }
    }

    // The arithmetic of benches/src/data.rs.

    static long mix(long x)
    {
        long z = x + 0x9E3779B97F4A7C15L;
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }

    static long query(long i, long n)
    {
        return Long.remainderUnsigned(mix((0x51L << 56) ^ i), n);
    }

    static ByteBuffer key(String prefix, long i)
    {
        return ByteBuffer.wrap(String.format("%s%012d", prefix, i).getBytes(StandardCharsets.US_ASCII));
    }
}
