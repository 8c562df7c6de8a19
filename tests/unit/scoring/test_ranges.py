"""How many of the scored rows lie beyond what the model saw in training."""

import numpy as np
import pandas as pd

from staypower.scoring.ranges import (
    Beyond,
    TrainedRange,
    beyond_from_plain,
    beyond_to_plain,
    beyond_training,
    beyond_words,
    sum_beyond,
)

LEARNED = {
    "ranges": [
        {"feature": "silence", "low": 0.0, "high": 181.0, "unit": "days"},
        {"feature": "amount", "low": -5.0, "high": 5.0, "unit": ""},
    ]
}
ROWS = pd.DataFrame({"silence": [181.0, 182.0, np.nan, 0.0], "amount": [-6.0, 6.0, 0.0, np.nan], "plan": [0.0, 1, 1, 0]})


def test_missing_values_and_the_ends_of_the_range_lie_within():
    found = beyond_training(LEARNED, ROWS)
    assert [(each.below, each.above, each.rows) for each in found] == [(0, 1, 4), (1, 1, 4)]
    assert beyond_words(found) == [
        "amount: 50.0% of the rows lie beyond the training range (-5 to 5)",
        "silence: 25.0% of the rows lie beyond the training range (max 181 days)",
    ]


def test_a_bundle_of_before_knows_no_ranges():
    assert beyond_training({}, ROWS) == ()
    assert beyond_words(()) == []


def test_what_hardly_any_row_passes_is_not_said():
    few = Beyond(TrainedRange("silence", 0, 181), 1000, 4, 5)
    assert beyond_words([few]) == []
    assert beyond_words([Beyond(few.range, 1000, 5, 5)]) != []


def test_parts_add_up_to_the_whole_and_pass_through_json():
    whole = beyond_training(LEARNED, ROWS)
    parts = [beyond_from_plain(beyond_to_plain(beyond_training(LEARNED, ROWS.iloc[rows]))) for rows in ([0, 1], [2], [3])]
    assert sum_beyond(parts) == whole
    assert sum_beyond([]) == ()
