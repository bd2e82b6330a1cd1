package golden;

import org.apache.cassandra.utils.Clock;

/**
 * Cassandra's clock (-Dcassandra.clock), started at an instant of our choice, so that the times in the files do not
 * depend on the day they were made: golden.clock.start in epoch seconds; golden.clock.frozen=true stops it there.
 */
public final class ShiftedClock implements Clock
{
    private static final long START_MS = Long.getLong("golden.clock.start") * 1000;
    private static final boolean FROZEN = Boolean.getBoolean("golden.clock.frozen");
    private static final long BOOT_NANOS = System.nanoTime();
    private static volatile long jumpMs;
    private static volatile long stoppedMs = -1;

    /** Moves the clock on (or back) by that many seconds. */
    public static void jump(long seconds)
    {
        jumpMs += seconds * 1000;
    }

    /** Stops the clock at a second of its epoch; a negative one lets it go on where it would be by now. */
    public static void stop(long second)
    {
        stoppedMs = second < 0 ? -1 : second * 1000;
    }

    @Override
    public long nanoTime()
    {
        return System.nanoTime();
    }

    @Override
    public long currentTimeMillis()
    {
        long stopped = stoppedMs;
        return stopped >= 0 ? stopped : START_MS + jumpMs + (FROZEN ? 0 : (System.nanoTime() - BOOT_NANOS) / 1_000_000);
    }
}
