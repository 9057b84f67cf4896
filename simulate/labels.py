"""Which organelles a simulated antibody stains: label sets drawn as often as Kaggle's training table has them.

`SETS` are the commonest label sets of the 2018 competition's train.csv with their counts: all with at least 16 fields,
and the commonest sets of each rare organelle. They cover 96 % of its 31,072 fields. Drawing whole sets keeps which
organelles occur together (nucleoplasm with cytosol, lysosomes always with endosomes).

The rarest organelles (rods and rings: 11 of 31,072 fields) would be missing from a small simulation, so a floor holds:
each organelle is stained by at least `FLOOR` antibodies where there are `FLOOR_FIELDS * FLOOR` fields or more, by fewer
in proportion below that. It replaces antibodies of the commonest organelles, and so makes rare organelles commoner than
they are in reality: at 500 fields rods and rings are in 2 % of the fields, not in 0.04 %.
"""

from collections import Counter

import numpy as np

N_ORGANELLES = 28
FLOOR = 3
FLOOR_FIELDS = 125

LabelSet = tuple[int, ...]

SETS = """
0:2414 0+25:1998 23:1653 25:1470 7:1163 4:1077 21:1058 0+2:996 5:983 2:808 0+21:769 0+7:668 3:654 6:622 11:601
0+23:572 19:522 14:484 0+5:479 21+25:425 0+19:395 0+3:383 5+25:350 0+1:317 18:314 2+25:301 1:271 4+25:269
0+2+25:257 12:232 22:213 0+21+25:206 0+22:192 7+25:173 13:157 0+18:153 0+11:150 0+7+25:144 0+5+25:143 18+25:143
19+25:136 26:134 3+25:132 0+14:129 2+23:128 24:122 0+1+25:102 1+25:101 23+25:101 20:98 0+3+25:96 0+19+25:91
14+25:91 0+12:84 0+26:81 6+25:80 4+21:76 0+2+7:75 0+4:75 0+16:75 2+21:75 21+22:72 0+18+25:71 2+7:71 0+16+25:70
12+25:68 0+13:67 11+25:66 5+21:64 0+23+25:61 1+2:60 13+21:57 12+21:55 0+2+23:54 0+6:52 0+7+21:52 13+25:50
0+1+2:45 4+23:44 5+7:44 0+24:42 0+2+21:41 2+14:40 0+12+25:38 0+22+25:38 7+21:38 2+6+25:37 0+20:36 2+11:36
22+25:36 0+5+21:35 24+25:35 25+26:35 0+13+25:32 0+11+25:31 1+23:31 8:31 14+16:30 2+6:29 3+23:29 16+25:29
0+2+21+25:28 0+2+22:27 5+23:27 16:27 1+4:26 3+7:26 0+5+7:25 5+24:24 19+23:24 0+14+25:23 2+4:23 2+21+25:23
5+14:23 19+21:23 6+7:22 6+21:22 12+21+25:22 17+25:22 0+19+21:21 4+7:21 4+21+25:21 0+2+5:20 0+7+21+25:20
0+12+21:20 1+21:20 2+19:20 21+23:20 0+14+16:19 1+6:19 7+16:19 0+1+21:18 0+2+11:18 0+2+11+25:18 2+5:18 2+21+23:18
3+21:18 14+16+17:18 18+21:18 3+6:17 9:17 9+10:17 13+21+25:17 14+21:17 0+2+19:16 4+26:16 11+24:16 0+2+16:15
0+16+17+25:15 0+17+25:15 0+21+22:15 14+17:15 0+13+21:14 0+16+17+18:14 0+17:14 0+20+23:14 16+21:14 0+24+25:13
2+22:13 4+12:13 4+22:13 5+22:13 17+18+25:13 0+1+13:12 0+7+13:12 0+18+21:12 13+18:12 0+12+23:11 3+22:11 6+9+10:11
17+21:11 21+22+25:11 0+7+22:10 2+8:10 4+21+22:10 5+12:10 12+13:10 12+14:10 18+24:10 0+2+12:9 0+5+16:9 0+7+12:9
0+16+21:9 0+25+26:9 2+15+16:9 2+18:9 5+18:9 14+16+25:9 17+18+21:9 0+2+24:8 0+5+15:8 4+14+16:8 4+24:8 7+22:8
11+13:8 16+17+18:8 17+19:8 18+21+25:8 21+25+26:8 22+23:8 0+1+18:7 0+5+12+26:7 0+5+13:7 0+7+16:7 0+16+17:7
0+16+22:7 0+22+23:7 11+22:7 0+5+24:6 0+16+19:6 0+19+22:6 2+14+17+25:6 2+16+21:6 3+13:6 5+14+16:6 6+20:6 12+19:6
13+19+25:6 0+2+20:5 0+8:5 0+13+19:5 0+13+21+25:5 0+16+24:5 2+16+25:5 4+13:5 7+16+19:5 17+18:5 21+24:5
0+2+13+25:4 0+5+27:4 2+24:4 3+8:4 4+13+21:4 6+16:4 7+16+17:4 7+24:4 14+17+21:4 16+23:4 20+25:4 0+2+6+16:3
0+14+16+17:3 0+14+16+25:3 0+15:3 0+16+23:3 0+17+23:3 5+16:3 5+17:3 11+16:3 16+17+25:3 16+18+22+25:3 0+16+17+21:2
0+27:2 8+21+25:2 14+16+21:2 16+17:2 23+27:2 0+2+15:1 0+2+27:1 0+17+19+25:1 0+17+21:1 2+7+8:1 2+17+19:1 4+19+27:1
7+17:1 7+17+25:1 16+17+22:1 27:1
"""


def label_sets() -> dict[LabelSet, int]:
    """The label sets of the table, each with its number of fields in the competition's train.csv."""
    entries = (word.split(":") for word in SETS.split())
    return {tuple(int(label) for label in labels.split("+")): int(count) for labels, count in entries}


def floor_for(n_fields: int) -> int:
    """Antibodies that each organelle gets at least, in a simulation of `n_fields` fields."""
    return min(FLOOR, n_fields // FLOOR_FIELDS)


def draw_label_sets(n: int, floor: int, rng: np.random.Generator) -> list[LabelSet]:
    """The label sets of n antibodies, in random order.

    Parameters
    ----------
    n : int
        Number of antibodies.
    floor : int
        Smallest number of sets that each organelle is in, as far as n allows.
    rng : numpy.random.Generator

    Notes
    -----
    Systematic sampling (Madow 1949): equal steps through the cumulated table, so that even few antibodies have
    prevalences close to the table's.
    """
    table = label_sets()
    sets = list(table)
    edges = np.cumsum(list(table.values())) / sum(table.values())
    steps = (np.arange(n) + rng.random()) / n
    drawn = [sets[i] for i in np.searchsorted(edges, steps, side="right")]
    _raise_to_floor(drawn, floor, table, rng)
    return [drawn[i] for i in rng.permutation(n)]


def _raise_to_floor(drawn: list[LabelSet], floor: int, table: dict[LabelSet, int], rng: np.random.Generator) -> None:
    """Replace, in place, antibodies of the commonest organelles until each organelle is in `floor` sets."""
    for organelle in range(N_ORGANELLES):
        fitting = [labels for labels in table if organelle in labels]
        weights = np.array([table[labels] for labels in fitting], float)
        while True:
            held = Counter(label for labels in drawn for label in labels)
            if held[organelle] >= floor:
                break
            spare = [min(held[label] for label in labels) for labels in drawn]
            if max(spare, default=0) <= floor:
                return
            drawn[int(np.argmax(spare))] = fitting[rng.choice(len(fitting), p=weights / weights.sum())]
