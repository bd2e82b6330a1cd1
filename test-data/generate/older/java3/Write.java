import java.io.File;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.util.*;

import org.apache.cassandra.config.*;
import org.apache.cassandra.cql3.*;
import org.apache.cassandra.cql3.statements.*;
import org.apache.cassandra.db.*;
import org.apache.cassandra.db.compaction.OperationType;
import org.apache.cassandra.db.lifecycle.LifecycleTransaction;
import org.apache.cassandra.db.marshal.UserType;
import org.apache.cassandra.db.partitions.PartitionUpdate;
import org.apache.cassandra.db.rows.*;
import org.apache.cassandra.io.sstable.*;
import org.apache.cassandra.io.sstable.format.SSTableFormat;
import org.apache.cassandra.io.sstable.metadata.MetadataCollector;
import org.apache.cassandra.schema.*;
import org.apache.cassandra.service.ClientState;
import org.apache.cassandra.utils.ByteBufferUtil;

/**
 * Turns scripts of CQL into SSTables with the classes of one Cassandra 3.x release (ma to me): every script `T.cql` in a
 * folder gives the SSTables of table T in OUT/T. The release runs in client mode, with nothing but its default settings.
 *
 * A script has one statement a line; those that make types and tables take effect at once (a second CREATE TABLE replaces
 * the first, as a change of the schema between two SSTables). Lines that begin with @ steer the writer:
 *   @now SECONDS            the clock of the statements that follow (local deletion times, expiry)
 *   @set NAME VALUE         a setting of Cassandra's Config, or `partitioner`
 *   @shadowable DELETE ...  the row deletion that the statement makes becomes a shadowable one, as in a 3.0 view
 *   @value 0xHEX DELETE ... the cell that the statement would delete is written, with this value (counter contexts)
 *   @flush [NAME=VALUE]...  writes what has gathered as the next SSTable; generation, level, repaired, host (uuid),
 *                           intervals (of the commit log, SEGMENT:FROM:TO,...), stats (0: a header without statistics)
 */
public final class Write
{
    private static final String KEYSPACE = "golden";

    private static CFMetaData table;
    private static PartitionColumns.Builder columns;
    private static Map<DecoratedKey, PartitionUpdate> updates;
    private static int now;
    private static int generation;

    public static void main(String[] args) throws Exception
    {
        Config.setClientMode(true);
        try
        {
            // 3.10 and later ask for this before anything else touches the configuration.
            DatabaseDescriptor.class.getMethod("clientInitialization", boolean.class).invoke(null, false);
        }
        catch (NoSuchMethodException e)
        {
            // Earlier ones look at the client mode alone.
        }
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
        forget();
        out.mkdirs();
        // The keyspace `system` for its functions (blobAsInt and its kind).
        Schema.instance.setKeyspaceMetadata(SystemKeyspace.metadata());
        Schema.instance.setKeyspaceMetadata(KeyspaceMetadata.create(KEYSPACE, KeyspaceParams.simple(1)));
        for (String line : Files.readAllLines(script.toPath()))
        {
            String[] words = line.trim().split(" ", 3);
            if (line.startsWith("CREATE TYPE"))
                createType(line);
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
            Object partitioner = Class.forName("org.apache.cassandra.dht." + value).getField("instance").get(null);
            method(DatabaseDescriptor.class, "setPartitioner").invoke(null, partitioner);
            return;
        }
        Field conf = DatabaseDescriptor.class.getDeclaredField("conf");
        conf.setAccessible(true);
        Field field = Config.class.getField(name);
        if (field.getType() == Integer.class || field.getType() == int.class)
            field.set(conf.get(null), Integer.parseInt(value));
        else
            field.set(conf.get(null), value);
    }

    private static void createType(String cql) throws Exception
    {
        CreateTypeStatement statement = (CreateTypeStatement) QueryProcessor.parseStatement(cql);
        UserType type = (UserType) method(CreateTypeStatement.class, "createType").invoke(statement);
        KeyspaceMetadata keyspace = Schema.instance.getKSMetaData(KEYSPACE);
        Schema.instance.setKeyspaceMetadata(keyspace.withSwapped(keyspace.types.with(type)));
    }

    private static void createTable(String cql) throws Exception
    {
        KeyspaceMetadata keyspace = Schema.instance.getKSMetaData(KEYSPACE);
        if (table != null)
        {
            Schema.instance.unload(table);
            keyspace = keyspace.withSwapped(keyspace.tables.without(table.cfName));
            Schema.instance.setKeyspaceMetadata(keyspace);
        }
        CreateTableStatement.RawStatement raw = (CreateTableStatement.RawStatement) QueryProcessor.parseStatement(cql);
        table = ((CreateTableStatement) raw.prepare(keyspace.types).statement).getCFMetaData();
        Schema.instance.load(table);
        Schema.instance.setKeyspaceMetadata(keyspace.withSwapped(keyspace.tables.with(table)));
    }

    /** Applies one INSERT, UPDATE or DELETE to `into`, as ModificationStatement does when a node executes it. */
    private static void execute(String cql, Map<DecoratedKey, PartitionUpdate> into) throws Exception
    {
        ModificationStatement statement;
        statement = (ModificationStatement) QueryProcessor.getStatement(cql, ClientState.forInternalCalls()).statement;
        QueryOptions options = QueryOptions.forInternalCalls(Collections.<ByteBuffer>emptyList());
        UpdateParameters parameters = new UpdateParameters(table, statement.updatedColumns(), options,
                                                           statement.getTimestamp(now * 1000000L, options),
                                                           statement.getTimeToLive(options),
                                                           Collections.emptyMap());
        field(parameters, "nowInSec", now);
        field(parameters, "deletionTime", new DeletionTime(statement.getTimestamp(now * 1000000L, options), now));
        columns.addAll(statement.updatedColumns());

        for (ByteBuffer bytes : statement.buildPartitionKeyNames(options))
        {
            DecoratedKey key = table.decorateKey(bytes);
            PartitionUpdate update = into.get(key);
            if (update == null)
                into.put(key, update = new PartitionUpdate(table, key, table.partitionColumns(), 16));
            if (isRange(statement))
            {
                for (Slice slice : (Slices) method(ModificationStatement.class, "createSlice").invoke(statement, options))
                    statement.addUpdateForKey(update, slice, parameters);
                continue;
            }
            NavigableSet<Clustering> clusterings = statement.createClustering(options);
            if (clusterings.isEmpty())
                statement.addUpdateForKey(update, Clustering.EMPTY, parameters);
            for (Clustering clustering : clusterings)
                statement.addUpdateForKey(update, clustering, parameters);
        }
    }

    private static boolean isRange(ModificationStatement statement) throws Exception
    {
        Field type = ModificationStatement.class.getDeclaredField("type");
        type.setAccessible(true);
        Field field = ModificationStatement.class.getDeclaredField("restrictions");
        field.setAccessible(true);
        Object restrictions = field.get(statement);
        return type.get(statement).toString().equals("DELETE")
               && (boolean) method(restrictions.getClass(), "hasClusteringColumnsRestriction").invoke(restrictions)
               && (boolean) method(restrictions.getClass(), "isColumnRange").invoke(restrictions);
    }

    private static void shadowable(String cql) throws Exception
    {
        for (PartitionUpdate scratch : scratch(cql).values())
            for (Row row : scratch)
                into(scratch).add(BTreeRow.emptyDeletedRow(row.clustering(), Row.Deletion.shadowable(row.deletion().time())));
    }

    private static void value(ByteBuffer value, String cql) throws Exception
    {
        for (PartitionUpdate scratch : scratch(cql).values())
        {
            for (Row row : scratch)
                into(scratch).add(withValue(row, value));
            if (!scratch.staticRow().isEmpty())
                into(scratch).add(withValue(scratch.staticRow(), value));
        }
    }

    private static Row withValue(Row row, ByteBuffer value)
    {
        Cell tombstone = row.cells().iterator().next();
        return BTreeRow.singleCellRow(row.clustering(), new BufferCell(tombstone.column(), tombstone.timestamp(), Cell.NO_TTL,
                                                                       Cell.NO_DELETION_TIME, value, tombstone.path()));
    }

    private static Map<DecoratedKey, PartitionUpdate> scratch(String cql) throws Exception
    {
        Map<DecoratedKey, PartitionUpdate> scratch = new TreeMap<>();
        execute(cql, scratch);
        return scratch;
    }

    private static PartitionUpdate into(PartitionUpdate scratch)
    {
        PartitionUpdate update = updates.get(scratch.partitionKey());
        if (update == null)
        {
            update = new PartitionUpdate(table, scratch.partitionKey(), table.partitionColumns(), 16);
            updates.put(scratch.partitionKey(), update);
        }
        return update;
    }

    private static void forget()
    {
        updates = new TreeMap<>();
        columns = PartitionColumns.builder();
    }

    private static void flush(File out, String line) throws Exception
    {
        Map<String, String> options = new HashMap<>();
        for (String option : line.split(" "))
            if (option.contains("="))
                options.put(option.split("=")[0], option.split("=")[1]);

        EncodingStats stats = EncodingStats.NO_STATS;
        if (!"0".equals(options.get("stats")))
            for (PartitionUpdate update : updates.values())
                stats = stats == EncodingStats.NO_STATS ? update.stats() : stats.mergeWith(update.stats());
        MetadataCollector collector = collector(options.get("host"));
        collector.sstableLevel(Integer.parseInt(options.getOrDefault("level", "0")));
        if (options.containsKey("intervals"))
            commitLogIntervals(collector, options.get("intervals"));
        generation = Integer.parseInt(options.getOrDefault("generation", Integer.toString(generation + 1)));
        Descriptor descriptor = new Descriptor(out, KEYSPACE, table.cfName, generation, SSTableFormat.Type.BIG);
        SerializationHeader header = new SerializationHeader(true, table, columns.build(), stats);
        LifecycleTransaction transaction = LifecycleTransaction.offline(OperationType.WRITE);
        Method create = method(SimpleSSTableMultiWriter.class, "create");
        List<Object> arguments = new ArrayList<>(Arrays.asList(descriptor, (long) updates.size(),
                                                               Long.parseLong(options.getOrDefault("repaired", "0")),
                                                               table, collector, header, transaction));
        if (create.getParameterCount() == 8)
            arguments.add(6, Collections.emptySet());
        SSTableMultiWriter writer = (SSTableMultiWriter) create.invoke(null, arguments.toArray());
        try (SSTableTxnWriter txn = new SSTableTxnWriter(transaction, writer))
        {
            for (PartitionUpdate update : updates.values())
                txn.append(update.unfilteredIterator());
            txn.finish(false);
        }
        forget();
    }

    private static MetadataCollector collector(String host) throws Exception
    {
        if (host == null)
            return new MetadataCollector(table.comparator);
        return MetadataCollector.class.getConstructor(ClusteringComparator.class, UUID.class)
                                      .newInstance(table.comparator, UUID.fromString(host));
    }

    /** ma keeps the end of the last interval, mb also the start of the first, mc and later all of them. */
    private static void commitLogIntervals(MetadataCollector collector, String text) throws Exception
    {
        List<Object> starts = new ArrayList<>();
        List<Object> ends = new ArrayList<>();
        for (String interval : text.split(","))
        {
            String[] n = interval.split(":");
            starts.add(position(Long.parseLong(n[0]), Integer.parseInt(n[1])));
            ends.add(position(Long.parseLong(n[0]), Integer.parseInt(n[2])));
        }
        Object last = ends.get(ends.size() - 1);
        if (has(MetadataCollector.class, "commitLogIntervals"))
        {
            Object builder = Class.forName("org.apache.cassandra.db.commitlog.IntervalSet$Builder").getConstructor().newInstance();
            for (int i = 0; i < starts.size(); i++)
                method(builder.getClass(), "add").invoke(builder, starts.get(i), ends.get(i));
            method(MetadataCollector.class, "commitLogIntervals").invoke(collector, method(builder.getClass(), "build").invoke(builder));
        }
        else if (has(MetadataCollector.class, "commitLogLowerBound"))
        {
            method(MetadataCollector.class, "commitLogLowerBound").invoke(collector, starts.get(0));
            method(MetadataCollector.class, "commitLogUpperBound").invoke(collector, last);
        }
        else
            method(MetadataCollector.class, "replayPosition").invoke(collector, last);
    }

    private static Object position(long segment, int offset) throws Exception
    {
        String name = has(MetadataCollector.class, "commitLogIntervals") ? "CommitLogPosition" : "ReplayPosition";
        return Class.forName("org.apache.cassandra.db.commitlog." + name).getConstructor(long.class, int.class)
                    .newInstance(segment, offset);
    }

    private static boolean has(Class<?> type, String name)
    {
        for (Method method : type.getMethods())
            if (method.getName().equals(name))
                return true;
        return false;
    }

    private static void field(Object object, String name, Object value) throws Exception
    {
        Field field = object.getClass().getDeclaredField(name);
        field.setAccessible(true);
        field.set(object, value);
    }

    /** The first method whose name begins so: 3.x releases differ in an s at the end and in what is public. */
    private static Method method(Class<?> type, String prefix)
    {
        for (Class<?> c = type; c != null; c = c.getSuperclass())
            for (Method method : c.getDeclaredMethods())
                if (method.getName().startsWith(prefix))
                {
                    method.setAccessible(true);
                    return method;
                }
        throw new IllegalArgumentException(type + " has no " + prefix);
    }
}
