import java.io.File;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.util.*;

import org.apache.cassandra.config.Config;
import org.apache.cassandra.config.DatabaseDescriptor;
import org.apache.cassandra.cql3.*;
import org.apache.cassandra.cql3.statements.ModificationStatement;
import org.apache.cassandra.cql3.statements.schema.CreateTableStatement;
import org.apache.cassandra.cql3.statements.schema.CreateTypeStatement;
import org.apache.cassandra.db.*;
import org.apache.cassandra.db.commitlog.CommitLogPosition;
import org.apache.cassandra.db.commitlog.IntervalSet;
import org.apache.cassandra.db.compaction.OperationType;
import org.apache.cassandra.db.lifecycle.LifecycleTransaction;
import org.apache.cassandra.db.partitions.PartitionUpdate;
import org.apache.cassandra.db.rows.*;
import org.apache.cassandra.dht.IPartitioner;
import org.apache.cassandra.io.sstable.*;
import org.apache.cassandra.io.sstable.format.SSTableFormat;
import org.apache.cassandra.io.sstable.metadata.MetadataCollector;
import org.apache.cassandra.schema.*;
import org.apache.cassandra.service.ClientState;
import org.apache.cassandra.utils.ByteBufferUtil;

/**
 * The 4.0 (na) twin of ../java3/Write.java: same scripts, same lines. Two more options of @flush: `pending` (a pending
 * repair's uuid) and `transient` (1).
 */
public final class Write
{
    private static final String KEYSPACE = "golden";

    private static TableMetadata table;
    private static Types types;
    private static Types.RawBuilder rawTypes;
    private static IPartitioner partitioner;
    private static RegularAndStaticColumns.Builder columns;
    private static Map<DecoratedKey, PartitionUpdate.Builder> updates;
    private static int now;
    private static int generation;

    public static void main(String[] args) throws Exception
    {
        DatabaseDescriptor.clientInitialization(false);
        File[] scripts = new File(args[0]).listFiles();
        Arrays.sort(scripts);
        for (File script : scripts)
        {
            try
            {
                write(script, new File(args[1], script.getName().replace(".cql", "")));
            }
            catch (Throwable e)
            {
                System.err.println(script.getName());
                e.printStackTrace();
                System.exit(1);
            }
        }
        System.exit(0);
    }

    private static void write(File script, File out) throws Exception
    {
        set("column_index_size_in_kb", "64");
        set("partitioner", "Murmur3Partitioner");
        now = 1700000000;
        generation = 0;
        table = null;
        types = Types.none();
        rawTypes = Types.rawBuilder(KEYSPACE);
        forget();
        out.mkdirs();
        for (String line : Files.readAllLines(script.toPath()))
        {
            String[] words = line.trim().split(" ", 3);
            if (line.startsWith("CREATE TYPE"))
                QueryProcessor.parseStatement(line, CreateTypeStatement.Raw.class, "CREATE TYPE").addToRawBuilder(rawTypes);
            else if (line.startsWith("CREATE TABLE"))
                createTable(line);
            else if (words[0].equals("@now"))
                now = Integer.parseInt(words[1]);
            else if (words[0].equals("@set"))
                set(words[1], words[2]);
            else if (words[0].equals("@flush"))
                flush(out, line);
            else if (words[0].equals("@shadowable"))
                shadowable(line.substring(words[0].length() + 1));
            else if (words[0].equals("@value"))
                value(ByteBufferUtil.hexToBytes(words[1].substring(2)), words[2]);
            else if (!line.isEmpty())
                execute(line, updates);
        }
    }

    private static void set(String name, String value) throws Exception
    {
        if (name.equals("partitioner"))
        {
            partitioner = (IPartitioner) Class.forName("org.apache.cassandra.dht." + value).getField("instance").get(null);
            DatabaseDescriptor.setPartitionerUnsafe(partitioner);
            return;
        }
        Field conf = DatabaseDescriptor.class.getDeclaredField("conf");
        conf.setAccessible(true);
        Config.class.getField(name).set(conf.get(null), Integer.parseInt(value));
    }

    private static void createTable(String cql) throws Exception
    {
        types = rawTypes.build();
        CreateTableStatement.Raw raw = QueryProcessor.parseStatement(cql, CreateTableStatement.Raw.class, "CREATE TABLE");
        table = raw.prepare(ClientState.forInternalCalls()).builder(types).partitioner(partitioner).build();
        // Forgets the keyspace as it was before: a reload would compare the two and open the keyspace for it.
        Field keyspaces = Schema.class.getDeclaredField("keyspaces");
        keyspaces.setAccessible(true);
        keyspaces.set(Schema.instance, Keyspaces.none());
        // The keyspace `system` for its functions (blobAsInt and its kind).
        Schema.instance.load(SystemKeyspace.metadata());
        Schema.instance.load(KeyspaceMetadata.create(KEYSPACE, KeyspaceParams.simple(1), Tables.of(table), Views.none(), types, Functions.none()));
    }

    /** Applies one INSERT, UPDATE or DELETE to `into`, as ModificationStatement does when a node executes it. */
    private static void execute(String cql, Map<DecoratedKey, PartitionUpdate.Builder> into) throws Exception
    {
        ModificationStatement statement = (ModificationStatement) QueryProcessor.getStatement(cql, ClientState.forInternalCalls());
        QueryOptions options = QueryOptions.forInternalCalls(Collections.emptyList());
        UpdateParameters parameters = new UpdateParameters(table, statement.updatedColumns(), options,
                                                           statement.getTimestamp(now * 1000000L, options), now,
                                                           statement.getTimeToLive(options), Collections.emptyMap());
        columns.addAll(statement.updatedColumns());
        for (ByteBuffer bytes : statement.buildPartitionKeyNames(options))
        {
            PartitionUpdate.Builder update = into(into, table.partitioner.decorateKey(bytes));
            if (statement.hasSlices())
            {
                Method slices = ModificationStatement.class.getDeclaredMethod("createSlices", QueryOptions.class);
                slices.setAccessible(true);
                for (Slice slice : (Slices) slices.invoke(statement, options))
                    statement.addUpdateForKey(update, slice, parameters);
                continue;
            }
            NavigableSet<Clustering<?>> clusterings = statement.createClustering(options);
            if (clusterings.isEmpty())
                statement.addUpdateForKey(update, Clustering.EMPTY, parameters);
            for (Clustering<?> clustering : clusterings)
                statement.addUpdateForKey(update, clustering, parameters);
        }
    }

    private static PartitionUpdate.Builder into(Map<DecoratedKey, PartitionUpdate.Builder> into, DecoratedKey key)
    {
        return into.computeIfAbsent(key, k -> new PartitionUpdate.Builder(table, k, table.regularAndStaticColumns(), 16));
    }

    private static void shadowable(String cql) throws Exception
    {
        for (PartitionUpdate scratch : scratch(cql))
            for (Row row : scratch)
                into(updates, scratch.partitionKey()).add(BTreeRow.emptyDeletedRow(row.clustering(), Row.Deletion.shadowable(row.deletion().time())));
    }

    private static void value(ByteBuffer value, String cql) throws Exception
    {
        for (PartitionUpdate scratch : scratch(cql))
        {
            for (Row row : scratch)
                into(updates, scratch.partitionKey()).add(withValue(row, value));
            if (!scratch.staticRow().isEmpty())
                into(updates, scratch.partitionKey()).add(withValue(scratch.staticRow(), value));
        }
    }

    private static Row withValue(Row row, ByteBuffer value)
    {
        Cell<?> tombstone = row.cells().iterator().next();
        return BTreeRow.singleCellRow(row.clustering(), new BufferCell(tombstone.column(), tombstone.timestamp(), Cell.NO_TTL,
                                                                       Cell.NO_DELETION_TIME, value, tombstone.path()));
    }

    private static List<PartitionUpdate> scratch(String cql) throws Exception
    {
        Map<DecoratedKey, PartitionUpdate.Builder> scratch = new TreeMap<>();
        execute(cql, scratch);
        List<PartitionUpdate> built = new ArrayList<>();
        scratch.values().forEach(update -> built.add(update.build()));
        return built;
    }

    private static void forget()
    {
        updates = new TreeMap<>();
        columns = RegularAndStaticColumns.builder();
    }

    private static void flush(File out, String line) throws Exception
    {
        Map<String, String> options = new HashMap<>();
        for (String option : line.split(" "))
            if (option.contains("="))
                options.put(option.split("=")[0], option.split("=")[1]);

        List<PartitionUpdate> built = new ArrayList<>();
        updates.values().forEach(update -> built.add(update.build()));
        EncodingStats stats = EncodingStats.NO_STATS;
        if (!"0".equals(options.get("stats")))
            for (PartitionUpdate update : built)
                stats = stats == EncodingStats.NO_STATS ? update.stats() : stats.mergeWith(update.stats());
        MetadataCollector collector = new MetadataCollector(table.comparator);
        collector.sstableLevel(Integer.parseInt(options.getOrDefault("level", "0")));
        if (options.containsKey("intervals"))
            collector.commitLogIntervals(intervals(options.get("intervals")));
        generation = Integer.parseInt(options.getOrDefault("generation", Integer.toString(generation + 1)));
        Descriptor descriptor = new Descriptor(out, KEYSPACE, table.name, generation, SSTableFormat.Type.BIG);
        LifecycleTransaction transaction = LifecycleTransaction.offline(OperationType.WRITE);
        UUID pending = options.containsKey("pending") ? UUID.fromString(options.get("pending")) : null;
        SSTableMultiWriter writer = SimpleSSTableMultiWriter.create(descriptor, built.size(),
                                                                    Long.parseLong(options.getOrDefault("repaired", "0")),
                                                                    pending, "1".equals(options.get("transient")),
                                                                    TableMetadataRef.forOfflineTools(table), collector,
                                                                    new SerializationHeader(true, table, columns.build(), stats),
                                                                    Collections.emptySet(), transaction);
        try (SSTableTxnWriter txn = new SSTableTxnWriter(transaction, writer))
        {
            for (PartitionUpdate update : built)
                txn.append(update.unfilteredIterator());
            txn.finish(false);
        }
        forget();
    }

    /** SEGMENT:FROM:TO,... */
    private static IntervalSet<CommitLogPosition> intervals(String text)
    {
        IntervalSet.Builder<CommitLogPosition> builder = new IntervalSet.Builder<>();
        for (String interval : text.split(","))
        {
            String[] n = interval.split(":");
            builder.add(new CommitLogPosition(Long.parseLong(n[0]), Integer.parseInt(n[1])),
                        new CommitLogPosition(Long.parseLong(n[0]), Integer.parseInt(n[2])));
        }
        return builder.build();
    }
}
