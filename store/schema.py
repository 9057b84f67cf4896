"""The schema: the column names of the tables in a run folder and of the csv files that the commands write.

`leaderboard.csv` is not here: its columns are in `models/evaluation/leaderboard.py`. In the tables of cells, of fields
and of the matrix (`features/`), columns that start with `Metadata_` describe the row, as CellProfiler and pycytominer
expect; all others are features.
"""

METADATA = "Metadata_"
METADATA_ID = f"{METADATA}Id"
METADATA_PLATE = f"{METADATA}Plate"
METADATA_WELL = f"{METADATA}Well"
METADATA_SITE = f"{METADATA}Site"
METADATA_PIXEL_SIZE = f"{METADATA}PixelSize"
METADATA_MAX_LEVEL = f"{METADATA}MaxLevel"
METADATA_SPLIT = f"{METADATA}Split"
METADATA_CELL = f"{METADATA}Cell"
METADATA_X = f"{METADATA}X"
METADATA_Y = f"{METADATA}Y"
METADATA_AT_BORDER = f"{METADATA}AtBorder"
METADATA_MASK_ID = f"{METADATA}MaskId"
METADATA_PATH = f"{METADATA}Path"
METADATA_STAGE = f"{METADATA}Stage"
METADATA_ERROR = f"{METADATA}Error"
METADATA_HASH = f"{METADATA}Hash"
"""Followed by a channel's name: the perceptual hash of this channel."""
METADATA_CALLED = f"{METADATA}Called"

PLACE = (METADATA_ID, METADATA_PLATE, METADATA_WELL, METADATA_SITE)
"""A field, and where on a plate it is; empty where the images' layout does not say."""

CELLS = (*PLACE, METADATA_SPLIT, METADATA_CELL, METADATA_X, METADATA_Y, METADATA_AT_BORDER)
"""features/cells/*.parquet: one row a cell; then `METADATA_MASK_ID`, the cell's number in its mask, if the cells were
read from masks; then its features. X and Y are the centre, px."""

FIELDS = (*PLACE, METADATA_SPLIT, METADATA_PATH, METADATA_STAGE, METADATA_ERROR)
"""features/fields/*.parquet: one row a field; then pixel size (µm) and highest value of a pixel as its files have them,
its hashes, and the features of the field as a whole. Path, stage and error are empty unless the field failed."""

COLUMNS = ("name", "compartment", "family", "feature", "channels", "parameters", "covariate")
"""features/columns.parquet: one row a feature. Channels and parameters are lists of text, covariate is a truth value.
The features of the matrix (features/train.parquet, features/test.parquet) are described by the same and "pool"."""

PLATE, CONTROL = "plate", "control"
PLATES = (METADATA_ID, PLATE, CONTROL)
"""plates.parquet: one row a training field, if the fit normalises by plates: the plate (or what else was named), and
whether the plate's centre and scale are learnt from this field."""

GROUP, FOLD = "group", "fold"
FOLDS = (METADATA_ID, GROUP, FOLD)
"""folds.parquet: one row a training field. Fields of one group share a fold; fold -1 is held out.

The tables in oof/ have Metadata_Id and one column a class, one row a training field in the order of folds.parquet."""

MEASURES = ("share", "shap", "permutation", "gain", "kept")
IMPORTANCE_KEYS = ("organelle", "level", "what")
IMPORTANCE_VALUES = tuple(f"{measure}_{end}" for measure in MEASURES for end in ("mean", "sd"))
"""importance.parquet: one row an organelle, level and feature or group of features."""

TEST_CALLS = (METADATA_ID, METADATA_CALLED)
"""predictions.parquet: one row a test field; Called is a list of label numbers. Then the probability of each
organelle."""

FIELD_PLACES = ("Plate", "Well", "Site")
"""Columns behind the Id in predictions.csv, cells.csv, why.csv and neighbours.csv: where a new field is, if known."""

PREDICTIONS = ("Id", "Called", "Set", "OutOfDistribution", "OutOfRange")
"""predictions.csv: one row a new field; then the probability of each organelle."""

CELL_SCORES = ("Id", "Cell", "X", "Y", "Area", "AtBorder")
"""cells.csv: one row a cell of a new field; then `MASK_ID`, the cell's number in its mask, if the cells were read from
masks; then its score for each organelle (not calibrated)."""

MASK_ID = "MaskId"

WHY = (
    "Id", "Organelle", "Rank", "Block", "Compartment", "Family", "Channels", "LogOdds", "Direction", "Feature",
    "FeatureInWords", "Value", "Readable", "Cells",
)  # fmt: skip
"""why.csv: one row a call and block of features; then `PERCENTILE`. Block: the block in words. Rank: 1 for the block
that moves the call most. LogOdds: what the block adds to the call's log-odds. Value: the field's value of Feature, the
block's leading feature; in standard deviations of its plate if the fit normalises by plates. For the embedding, Feature
is a classical feature that goes with it, if there is one, and Readable the share of what the embedding adds to the
class that all classical features explain; empty for other blocks, and if importances were not measured. Cells: the
numbers of the cells with the highest values of Feature, or with the lowest where the field's value is below the median
of training fields; empty for features of the whole field."""

PERCENTILE = "Percentile"
"""The last column of why.csv: the percentile of Value among the training fields."""

NEIGHBOURS = ("Id", "Rank", "Neighbour", "Labels", "Distance", "FartherThan", "NearIdentical")
"""neighbours.csv: one row a new field and one of the training fields nearest to it."""

SEPARATORS = {"Called": "; ", "Set": "; ", "Labels": "; ", "Channels": " ", "Cells": " "}
"""Columns of csv files that hold several names: tuples in memory, joined only when the file is written."""

FAILURES = ("Id", "path", "stage", "error")
"""features/failures.csv, or of a prediction failures.csv beside its tables: one row a field that failed."""

UNUSED = ("path", "reason")
"""features/unused.csv, or of a prediction unused.csv beside its tables: one row a file that no field uses."""

DUPLICATES = ("first", "second", "where", "bits", "same_labels", "groups")
"""duplicates.csv: two Ids; "train", "test" or "train and test"; bits of the hashes that differ; and for training fields
"yes" or "no" for equal labels, and "same" or "joined": in one group before, or only because of their hashes."""

LABEL_ERRORS = (
    "Id", "organelle", "kind", "probability", "usual", "doubt", "labels", "similar_with", "similar", "most_similar",
    "most_similar_labels",
)  # fmt: skip
"""label_errors.csv: one row a label that the held-out models contradict.

- kind: "missing" (not labelled, but perhaps there) or "wrong" (labelled, but perhaps not there).
- probability: of the organelle, by held-out models.
- usual: their mean probability for the fields that carry the opposite label: with the organelle if kind is "missing".
- doubt: from 0 to 1, the probability that the label is wrong times the average precision for the organelle.
- labels: of the field, now.
- similar_with of similar: how many of the most similar fields of other groups carry the organelle.
- most_similar, most_similar_labels: the first of these, and its labels."""

SUBMISSION = ("Id", "Predicted")
"""submission.csv in Kaggle's format: one row a test field, label numbers with spaces between."""

CORRECTIONS = ("Time", "By", "Entry", "Id", "Action", "Value")
"""corrections.csv, beside train.csv: one row a change of a label, oldest first (see `store.corrections`)."""
