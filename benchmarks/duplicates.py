"""How long the search for near-identical fields takes at the size of the whole competition.

    python -m benchmarks.duplicates [--fields 31072] [--planted 1000]

Random hashes; some fields get planted copies, turned or mirrored, with up to 40 bits changed: those with up to
`HASH_BITS_APART` have to be found. The digest of the pairs tells whether two versions of the search find the same.
"""

import argparse
import hashlib
import time

import numpy as np

from models.data.duplicates import HASH_BITS_APART, duplicate_pairs, turned


def with_copies(n_fields: int, n_planted: int, rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """Hashes of fields, shape (n_fields, 4), and how many of the planted copies are near enough to be found."""
    hashes = rng.integers(2**64, size=(n_fields, 4), dtype=np.uint64)
    originals, copies = rng.permutation(n_fields)[: 2 * n_planted].reshape(2, -1)
    n_changed = rng.integers(41, size=n_planted)
    changed = rng.permuted(np.arange(256) < n_changed[:, None], axis=1)
    seen = turned(hashes[originals])[rng.integers(8, size=n_planted), np.arange(n_planted)]
    hashes[copies] = seen ^ np.packbits(changed, axis=1).view(np.uint64)
    return hashes, int((n_changed <= HASH_BITS_APART).sum())


def main() -> None:
    """Print the CPU time, the pairs and their digest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fields", type=int, default=31072)
    parser.add_argument("--planted", type=int, default=1000)
    given = parser.parse_args()
    hashes, n_near = with_copies(given.fields, given.planted, np.random.default_rng(0))
    duplicate_pairs(hashes[:2], HASH_BITS_APART, turned(hashes[:2]))  # compiles
    start = time.process_time()
    pairs = duplicate_pairs(hashes, HASH_BITS_APART, turned(hashes))
    seconds = time.process_time() - start
    digest = hashlib.sha256(pairs.tobytes()).hexdigest()[:16]
    print(f"{given.fields} fields: {seconds:.2f} CPU s, {len(pairs)} pairs of {n_near} planted, digest {digest}")


if __name__ == "__main__":
    main()
