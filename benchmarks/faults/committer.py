"""A process that puts scans into an outbox for as long as the disk takes them, and says what is committed.

Run: python -m benchmarks.faults.committer OUTBOX
"""

import sys
from pathlib import Path

from edge_agent.outbox.outbox import Outbox


def main() -> None:
    """Each scan is one to three events; event n says n. A line tells the number of the last one on the disk."""
    outbox, told = Outbox(Path(sys.argv[1]), ballast_bytes=2**20), 0
    number = outbox.last_seq()
    while outbox.trouble is None:
        scan = range(number + 1, number + 2 + number % 3)
        seq = outbox.put([("t", {"type": "counts", "n": n, "pad": "x" * (n * 37 % 400)}) for n in scan])
        number = scan[-1]
        if seq > told:
            told = seq
            print(seq, flush=True)


if __name__ == "__main__":
    main()
