package golden;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Method;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.common.collect.Multimap;

import org.apache.cassandra.auth.AuthenticatedUser;
import org.apache.cassandra.config.DatabaseDescriptor;
import org.apache.cassandra.cql3.CQLStatement;
import org.apache.cassandra.cql3.ColumnSpecification;
import org.apache.cassandra.cql3.QueryHandler;
import org.apache.cassandra.cql3.QueryOptions;
import org.apache.cassandra.cql3.ResultSet;
import org.apache.cassandra.db.ColumnFamilyStore;
import org.apache.cassandra.db.ConsistencyLevel;
import org.apache.cassandra.db.Directories;
import org.apache.cassandra.db.Keyspace;
import org.apache.cassandra.db.commitlog.CommitLog;
import org.apache.cassandra.db.compaction.CompactionManager;
import org.apache.cassandra.db.compaction.OperationType;
import org.apache.cassandra.db.lifecycle.LifecycleTransaction;
import org.apache.cassandra.db.marshal.AbstractType;
import org.apache.cassandra.exceptions.RequestExecutionException;
import org.apache.cassandra.exceptions.RequestValidationException;
import org.apache.cassandra.db.partitions.UnfilteredPartitionIterator;
import org.apache.cassandra.db.partitions.UnfilteredPartitionIterators;
import org.apache.cassandra.db.rows.UnfilteredRowIterator;
import org.apache.cassandra.io.sstable.Descriptor;
import org.apache.cassandra.io.sstable.ISSTableScanner;
import org.apache.cassandra.io.sstable.IVerifier;
import org.apache.cassandra.io.sstable.SSTableRewriter;
import org.apache.cassandra.io.sstable.format.SSTableReader;
import org.apache.cassandra.service.CassandraDaemon;
import org.apache.cassandra.service.ClientState;
import org.apache.cassandra.service.QueryState;
import org.apache.cassandra.service.StorageService;
import org.apache.cassandra.tools.SSTableExpiredBlockers;
import org.apache.cassandra.transport.Dispatcher;
import org.apache.cassandra.transport.ProtocolVersion;
import org.apache.cassandra.transport.messages.ResultMessage;
import org.apache.cassandra.utils.ByteBufferUtil;
import org.apache.cassandra.utils.OutputHandler;
import org.apache.cassandra.utils.TimeUUID;

/**
 * A Cassandra node that takes its orders, one JSON object a line, on standard input and answers each with one JSON line
 * on standard output. Statements run as those of a native-protocol client do, with the protocol's own timestamp
 * and now-in-seconds options.
 */
public final class Node
{
    private static final ObjectMapper JSON = new ObjectMapper();
    private static ClientState client;

    /** What must not be collected, lest Cassandra's leak detector sets it free. */
    private static final List<Object> HELD = new ArrayList<>();

    public static void main(String[] args) throws Exception
    {
        PrintStream answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        System.setOut(System.err);
        new CassandraDaemon(true).activate();
        // Counters are led only by a node that takes clients.
        StorageService.instance.setRpcReady(true);
        client = ClientState.forExternalCalls(new InetSocketAddress("127.0.0.1", 1));
        client.login(AuthenticatedUser.ANONYMOUS_USER);
        answers.println("{\"ready\":true}");

        BufferedReader orders = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = orders.readLine()) != null;)
        {
            Map<String, Object> answer = new LinkedHashMap<>();
            try
            {
                obey(JSON.readTree(line), answer);
            }
            catch (RequestValidationException | RequestExecutionException e)
            {
                answer.put("error", e.getMessage());
            }
            catch (Throwable t)
            {
                t.printStackTrace();
                answer.put("failure", t.toString());
            }
            answers.println(JSON.writeValueAsString(answer));
        }
        // An orderly stop would flush and rewrite files that have been copied already.
        Runtime.getRuntime().halt(0);
    }

    private static void obey(JsonNode order, Map<String, Object> answer) throws Exception
    {
        String verb = order.get("do").asText();
        switch (verb)
        {
            case "cql":
                cql(order, answer);
                break;
            case "cql_many":
                long timestamp = order.get("timestamp").asLong();
                for (JsonNode q : order.get("statements"))
                    cql(JSON.createObjectNode().put("q", q.asText()).put("timestamp", timestamp++).put("now", order.get("now").asLong()), answer);
                break;
            case "flush":
                table(order).forceBlockingFlush(ColumnFamilyStore.FlushReason.USER_FORCED);
                break;
            case "compact":
                table(order).forceMajorCompaction();
                break;
            case "compact_some":
                compactSome(table(order), order, answer);
                break;
            case "empty":
                // What only the memtable holds goes, too.
                table(order).forceBlockingFlush(ColumnFamilyStore.FlushReason.USER_FORCED);
                for (ColumnFamilyStore store : table(order).concatWithIndexes())
                    store.getTracker().dropSSTables();
                // A name is free again when all files of an SSTable are gone.
                LifecycleTransaction.waitForDeletions();
                break;
            case "refresh":
                table(order).loadNewSSTables();
                break;
            case "verify":
                verify(table(order), answer);
                break;
            case "blockers":
                blockers(table(order), order.get("gc_before").asLong(), answer);
                break;
            case "level":
                for (SSTableReader sstable : table(order).getLiveSSTables())
                    sstable.mutateLevelAndReload(order.get("level").asInt());
                break;
            case "repaired":
                // Of the SSTable with that maximum timestamp alone.
                for (SSTableReader sstable : table(order).getLiveSSTables())
                    if (sstable.getMaxTimestamp() == order.get("max_timestamp").asLong())
                        sstable.mutateRepairedAndReload(order.get("at").asLong(),
                                                        order.has("pending") ? TimeUUID.fromString(order.get("pending").asText()) : null, false);
                break;
            case "hold":
                // Whoever has a reference keeps a compacted SSTable's files, and so the log of the compaction, from deletion.
                for (SSTableReader sstable : table(order).getLiveSSTables())
                    HELD.add(sstable.ref());
                break;
            case "compact_halfway":
                compactHalfway(table(order));
                break;
            case "snapshot":
                table(order).snapshot(order.get("tag").asText());
                break;
            case "directory":
                Directories directories = table(order).getDirectories();
                answer.put("path", directories.getDirectoryForNewSSTables().absolutePath());
                List<String> live = new ArrayList<>();
                for (ColumnFamilyStore store : table(order).concatWithIndexes())
                    for (SSTableReader sstable : store.getLiveSSTables())
                        live.add(sstable.descriptor.baseFile().absolutePath());
                answer.put("live", live);
                break;
            case "craft":
                Craft.apply(table(order), order.get("partition"));
                break;
            case "jump":
                ShiftedClock.jump(order.get("seconds").asLong());
                break;
            case "column_index_size_kib":
                DatabaseDescriptor.setColumnIndexSizeInKiB(order.get("value").asInt());
                break;
            case "ulids":
                DatabaseDescriptor.getRawConfig().uuid_sstable_identifiers_enabled = order.get("value").asBoolean();
                break;
            case "sync_log":
                CommitLog.instance.sync(true);
                break;
            case "incremental_backups":
                DatabaseDescriptor.setIncrementalBackupsEnabled(order.get("value").asBoolean());
                break;
            default:
                throw new IllegalArgumentException(verb);
        }
    }

    /** What `nodetool verify -e` does; answers "faults" (texts), none where all is well. */
    private static void verify(ColumnFamilyStore cfs, Map<String, Object> answer)
    {
        IVerifier.Options options = IVerifier.options().invokeDiskFailurePolicy(false).extendedVerification(true).checkVersion(false)
                                             .mutateRepairStatus(false).checkOwnsTokens(false).quick(false).build();
        List<String> faults = new ArrayList<>();
        for (SSTableReader sstable : cfs.getLiveSSTables())
        {
            try (IVerifier verifier = sstable.getVerifier(cfs, new OutputHandler.LogOutput(), false, options))
            {
                verifier.verify();
            }
            catch (RuntimeException e)
            {
                StringBuilder chain = new StringBuilder(sstable.descriptor.baseFile().name());
                for (Throwable t = e; t != null; t = t.getCause())
                    chain.append(": ").append(t);
                faults.add(chain.toString());
            }
        }
        answer.put("faults", faults);
    }

    /** What sstableexpiredblockers prints of the live SSTables: answers "lines". */
    private static void blockers(ColumnFamilyStore cfs, long gcBefore, Map<String, Object> answer) throws Exception
    {
        Method format = SSTableExpiredBlockers.class.getDeclaredMethod("formatForExpiryTracing", Iterable.class);
        format.setAccessible(true);
        Multimap<SSTableReader, SSTableReader> blockers = SSTableExpiredBlockers.checkForExpiredSSTableBlockers(cfs.getLiveSSTables(), gcBefore);
        List<String> lines = new ArrayList<>();
        for (SSTableReader blocker : blockers.keySet())
            lines.add(String.format("%s blocks %d expired sstables from getting dropped: %s", format.invoke(null, Collections.singleton(blocker)),
                                    blockers.get(blocker).size(), format.invoke(null, blockers.get(blocker))));
        answer.put("lines", lines);
    }

    /**
     * Compacts the SSTables that are named by their base paths in the second "now", with "gc_before" or that of the table;
     * answers the base paths of what came of it.
     */
    private static void compactSome(ColumnFamilyStore cfs, JsonNode order, Map<String, Object> answer) throws Exception
    {
        Set<String> wanted = new HashSet<>();
        order.get("files").forEach(file -> wanted.add(file.asText()));
        Set<SSTableReader> before = cfs.getLiveSSTables();
        List<Descriptor> chosen = before.stream().map(s -> s.descriptor).filter(d -> wanted.contains(d.baseFile().absolutePath())).toList();
        if (chosen.size() != wanted.size())
            throw new IllegalArgumentException("of " + wanted + " only " + chosen + " are live");
        long now = order.get("now").asLong();
        long gcBefore = order.path("gc_before").asLong(CompactionManager.getDefaultGcBefore(cfs, now));
        ShiftedClock.stop(now);
        try
        {
            CompactionManager.instance.submitUserDefined(cfs, chosen, gcBefore).get();
        }
        finally
        {
            ShiftedClock.stop(-1);
        }
        answer.put("made", cfs.getLiveSSTables().stream().filter(s -> !before.contains(s)).map(s -> s.descriptor.baseFile().absolutePath()).toList());
    }

    /** Writes what a compaction of all SSTables would, and leaves its transaction open. */
    private static void compactHalfway(ColumnFamilyStore cfs)
    {
        LifecycleTransaction transaction = cfs.getTracker().tryModify(cfs.getLiveSSTables(), OperationType.COMPACTION);
        HELD.add(transaction);
        SSTableReader first = transaction.originals().iterator().next();
        SSTableRewriter rewriter = SSTableRewriter.constructWithoutEarlyOpening(transaction, false, Long.MAX_VALUE);
        rewriter.switchWriter(CompactionManager.createWriter(cfs, cfs.getDirectories().getDirectoryForNewSSTables(), 16, 0, null, false, first, transaction));
        List<ISSTableScanner> scanners = transaction.originals().stream().map(SSTableReader::getScanner).toList();
        try (UnfilteredPartitionIterator merged = UnfilteredPartitionIterators.merge(scanners, UnfilteredPartitionIterators.MergeListener.NOOP))
        {
            while (merged.hasNext())
                try (UnfilteredRowIterator partition = merged.next())
                {
                    rewriter.append(partition);
                }
        }
        HELD.add(rewriter);
        rewriter.prepareToCommit();
    }

    private static ColumnFamilyStore table(JsonNode order)
    {
        return Keyspace.open(order.get("keyspace").asText()).getColumnFamilyStore(order.get("table").asText());
    }

    /** Answers "rows" (texts) and "columns"; with "hex" in the order the values are raw bytes. */
    private static void cql(JsonNode order, Map<String, Object> answer)
    {
        QueryState state = new QueryState(client);
        long timestamp = order.path("timestamp").asLong(Long.MIN_VALUE);
        long nowInSec = order.path("now").asLong(Long.MIN_VALUE);
        QueryOptions options = QueryOptions.create(ConsistencyLevel.ONE, Collections.emptyList(), false, -1, null, null,
                                                   ProtocolVersion.CURRENT, null, timestamp, nowInSec);
        QueryHandler handler = ClientState.getCQLQueryHandler();
        CQLStatement statement = handler.parse(order.get("q").asText(), state, options);
        ResultMessage message = handler.process(statement, state, options, null, Dispatcher.RequestTime.forImmediateExecution());
        // New tables must keep each flush as an SSTable of its own.
        if (message instanceof ResultMessage.SchemaChange)
            CompactionManager.instance.disableAutoCompaction();
        if (!(message instanceof ResultMessage.Rows))
            return;

        ResultSet result = ((ResultMessage.Rows) message).result;
        List<ColumnSpecification> columns = result.metadata.names.subList(0, result.metadata.getColumnCount());
        boolean hex = order.path("hex").asBoolean();
        List<List<String>> rows = new ArrayList<>();
        for (List<?> row : result.rows)
        {
            List<String> texts = new ArrayList<>();
            for (int i = 0; i < columns.size(); i++)
                texts.add(text(row.get(i), columns.get(i).type, hex));
            rows.add(texts);
        }
        answer.put("columns", columns.stream().map(c -> c.name.toString()).toList());
        answer.put("rows", rows);
    }

    private static String text(Object cell, AbstractType<?> type, boolean hex)
    {
        if (cell == null)
            return null;
        ByteBuffer value = cell instanceof byte[] ? ByteBuffer.wrap((byte[]) cell) : (ByteBuffer) cell;
        return hex ? ByteBufferUtil.bytesToHex(value) : type.getString(value);
    }
}
