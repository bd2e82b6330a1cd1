"""The formats side by side, each in a process with JVMs, directories and ports of its own."""

import concurrent.futures
import os

import golden

FIRST_PORT = golden.STORAGE_PORT


def _lane(function, version, arguments):
    golden.STORAGE_PORT = FIRST_PORT + 2 * list(golden.VERSIONS).index(version)
    return function(version, *arguments)


def side_by_side(function, versions, *arguments):
    """What `function(version, *arguments)` gives for each version, in their order."""
    if len(versions) == 1:
        return [_lane(function, versions[0], arguments)]
    with concurrent.futures.ProcessPoolExecutor(min(len(versions), (os.cpu_count() or 1) + 1)) as lanes:
        running = [lanes.submit(_lane, function, version, arguments) for version in versions]
        return [lane.result() for lane in running]
