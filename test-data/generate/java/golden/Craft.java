package golden;

import java.nio.ByteBuffer;

import com.fasterxml.jackson.databind.JsonNode;

import org.apache.cassandra.db.BufferClusteringBound;
import org.apache.cassandra.db.Clustering;
import org.apache.cassandra.db.ClusteringBound;
import org.apache.cassandra.db.ClusteringPrefix;
import org.apache.cassandra.db.ColumnFamilyStore;
import org.apache.cassandra.db.DecoratedKey;
import org.apache.cassandra.db.DeletionTime;
import org.apache.cassandra.db.LivenessInfo;
import org.apache.cassandra.db.Mutation;
import org.apache.cassandra.db.RangeTombstone;
import org.apache.cassandra.db.Slice;
import org.apache.cassandra.db.context.CounterContext;
import org.apache.cassandra.db.partitions.PartitionUpdate;
import org.apache.cassandra.db.rows.BTreeRow;
import org.apache.cassandra.db.rows.BufferCell;
import org.apache.cassandra.db.rows.Cell;
import org.apache.cassandra.db.rows.CellPath;
import org.apache.cassandra.db.rows.Row;
import org.apache.cassandra.schema.ColumnMetadata;
import org.apache.cassandra.schema.TableMetadata;
import org.apache.cassandra.utils.ByteBufferUtil;
import org.apache.cassandra.utils.CounterId;

/**
 * Puts into a memtable what no CQL statement can write: shadowable deletions, expired liveness, remote and local counter
 * shards, values of the wrong length. Bytes are hex, times are raw numbers:
 * <pre>
 * { key, deletion: [timestamp, localDeletionTime], static: row, rows: [row],
 *   ranges: [{ start: [hex..], startInclusive, end: [hex..], endInclusive, deletion }] }
 * row  = { clustering: [hex or null..], liveness: [timestamp, ttl, localExpirationTime], deletion, shadowable: bool,
 *          complex: { column: deletion }, cells: [cell] }
 * cell = { column, timestamp, ttl, ldt, value: hex | shards: [[global|local|remote, id, clock, count]..], path: hex }
 * </pre>
 */
final class Craft
{
    private Craft()
    {
    }

    static void apply(ColumnFamilyStore cfs, JsonNode partition)
    {
        TableMetadata table = cfs.metadata();
        DecoratedKey key = table.partitioner.decorateKey(hex(partition.get("key")));
        PartitionUpdate.Builder update = new PartitionUpdate.Builder(table, key, table.regularAndStaticColumns(), 16);
        if (partition.has("deletion"))
            update.addPartitionDeletion(deletion(partition.get("deletion")));
        if (partition.has("static"))
            update.add(row(table, partition.get("static"), true));
        for (JsonNode row : partition.path("rows"))
            update.add(row(table, row, false));
        for (JsonNode range : partition.path("ranges"))
        {
            ClusteringBound<?> start = bound(range.get("start"), true, range.path("startInclusive").asBoolean(true));
            ClusteringBound<?> end = bound(range.get("end"), false, range.path("endInclusive").asBoolean(true));
            update.add(new RangeTombstone(Slice.make(start, end), deletion(range.get("deletion"))));
        }
        new Mutation(update.build()).applyUnsafe();
    }

    private static Row row(TableMetadata table, JsonNode from, boolean isStatic)
    {
        Row.Builder row = BTreeRow.unsortedBuilder();
        row.newRow(isStatic ? Clustering.STATIC_CLUSTERING : clustering(from.path("clustering")));
        if (from.has("liveness"))
        {
            JsonNode liveness = from.get("liveness");
            row.addPrimaryKeyLivenessInfo(LivenessInfo.withExpirationTime(liveness.get(0).asLong(), liveness.get(1).asInt(), liveness.get(2).asLong()));
        }
        if (from.has("deletion"))
        {
            DeletionTime time = deletion(from.get("deletion"));
            row.addRowDeletion(from.path("shadowable").asBoolean() ? Row.Deletion.shadowable(time) : Row.Deletion.regular(time));
        }
        from.path("complex").fields().forEachRemaining(e -> row.addComplexDeletion(column(table, e.getKey()), deletion(e.getValue())));
        for (JsonNode cell : from.path("cells"))
        {
            ByteBuffer value = cell.has("shards") ? shards(cell.get("shards")) : hex(cell.path("value"));
            CellPath path = cell.has("path") ? CellPath.create(hex(cell.get("path"))) : null;
            row.addCell(new BufferCell(column(table, cell.get("column").asText()),
                                       cell.get("timestamp").asLong(),
                                       cell.path("ttl").asInt(Cell.NO_TTL),
                                       cell.path("ldt").asLong(Cell.NO_DELETION_TIME),
                                       value, path));
        }
        return row.build();
    }

    private static ByteBuffer shards(JsonNode shards)
    {
        int[] counts = new int[3];
        for (JsonNode shard : shards)
            counts[kind(shard)]++;
        CounterContext.ContextState context = CounterContext.ContextState.allocate(counts[0], counts[1], counts[2]);
        for (JsonNode shard : shards)
        {
            CounterId id = CounterId.fromInt(shard.get(1).asInt());
            long clock = shard.get(2).asLong();
            long count = shard.get(3).asLong();
            switch (kind(shard))
            {
                case 0: context.writeGlobal(id, clock, count); break;
                case 1: context.writeLocal(id, clock, count); break;
                default: context.writeRemote(id, clock, count); break;
            }
        }
        return context.context;
    }

    private static int kind(JsonNode shard)
    {
        return java.util.List.of("global", "local", "remote").indexOf(shard.get(0).asText());
    }

    private static ColumnMetadata column(TableMetadata table, String name)
    {
        return table.getColumn(ByteBufferUtil.bytes(name));
    }

    private static DeletionTime deletion(JsonNode time)
    {
        return DeletionTime.build(time.get(0).asLong(), time.get(1).asLong());
    }

    private static Clustering<?> clustering(JsonNode values)
    {
        return values.size() == 0 ? Clustering.EMPTY : Clustering.make(buffers(values));
    }

    private static ClusteringBound<?> bound(JsonNode values, boolean isStart, boolean isInclusive)
    {
        return BufferClusteringBound.create(ClusteringPrefix.Kind.valueOf(
            (isInclusive ? "INCL_" : "EXCL_") + (isStart ? "START_BOUND" : "END_BOUND")), buffers(values));
    }

    private static ByteBuffer[] buffers(JsonNode values)
    {
        ByteBuffer[] buffers = new ByteBuffer[values.size()];
        for (int i = 0; i < buffers.length; i++)
            buffers[i] = values.get(i).isNull() ? null : hex(values.get(i));
        return buffers;
    }

    private static ByteBuffer hex(JsonNode text)
    {
        return ByteBufferUtil.hexToBytes(text.asText());
    }
}
