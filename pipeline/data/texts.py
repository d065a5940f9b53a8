"""Columns of text: categories with a feature each, keys that are left out, and all other text by its n-grams.

N-grams are encoded as by skrub's `StringEncoder`: they are counted, weighted by how few rows have them (tf-idf), and
reduced to a few numbers by a truncated singular value decomposition (Cerda and Varoquaux 2022, doi 10.1109/
TKDE.2020.2992529, compare such encodings). The counts are hashed, so that the constants have one size for all texts.
"""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer

from pipeline.data.kinds import Kind
from pipeline.data.messages import Messages
from pipeline.data.sentences import Sentence
from pipeline.errors import InputError
from pipeline.serving import count_ngrams
from pipeline.settings import Data

MOST_CATEGORIES = 1000
# A text column in which nearly every row differs holds keys, which a network could only memorize, unless most of its
# texts are sentences.
MAX_DISTINCT_SHARE = 0.9
FEWEST_WORDS = 4
# A blank ends a word; scripts without blanks have about two letters a word.
WORD = r"\s+|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2}"
LENGTHS, BUCKETS, COMPONENTS = (3, 4), 2**11, 30
MOST_ROWS = 20_000  # that an encoding is fitted to
DECIMALS = 6
LEAST_SPREAD = 1e-6  # of the numbers of all rows; less is rounding, of texts that are equal


def kind_of(name: str, texts: pd.Series, data: Data, messages: Messages) -> Kind | None:
    """Return how a column of text is encoded, None where it is left out; what was decided is added to `messages`."""
    n_texts = texts.nunique()
    if data.kinds.get(name) == "text":
        return "ngrams"
    n_categories = int((texts.fillna("").value_counts() >= (data.rare or 1)).sum())
    if data.kinds.get(name) == "category":
        if n_categories > MOST_CATEGORIES:
            raise InputError(
                f"data.kinds.{name} category: it has {n_categories} categories, each a feature; {MOST_CATEGORIES} are "
                f"allowed. data.rare {data.rare or 'null'} groups those of fewer rows, and text encodes them by n-grams"
            )
        return "text"
    is_key = n_texts > MAX_DISTINCT_SHARE * len(texts)
    if is_key and texts.str.count(WORD).median() < FEWEST_WORDS:
        text = Sentence.IS_KEY.format(name=repr(name), count=n_texts, rows=len(texts))
        messages.found.append(("D002", name, n_texts, text))
        return None
    if not is_key and n_categories <= MOST_CATEGORIES:
        return "text"
    advice = (
        "data.drop leaves it out" if is_key else "data.rare groups rare categories instead, data.drop leaves it out"
    )
    messages.notes.append(
        f"column {name!r} has {n_texts} different texts in {len(texts)} rows, and is encoded by groups of letters that "
        f"they share (n-grams); {advice}"
    )
    return "ngrams"


def fit_ngrams(name: str, texts: pd.Series, with_indicator: bool) -> dict[str, Any]:
    """Return what `serving.apply` encodes a column of text by, as plain data.

    The features are centred, and together vary as much as one standardized number.

    Args:
        with_indicator: whether one more feature says that the text is missing.
    """
    present = texts.dropna()
    sample = present.sample(min(len(present), MOST_ROWS), random_state=0)
    counts = count_ngrams(sample, LENGTHS, BUCKETS)
    weights = TfidfTransformer(norm=None).fit(counts).idf_
    with np.errstate(divide="ignore", invalid="ignore"):  # it divides by the variance, which equal texts have none of
        svd = TruncatedSVD(min(COMPONENTS, sample.nunique()), random_state=0).fit(counts.multiply(weights).tocsr())
    projection = np.round(weights[:, None] * svd.components_.T, DECIMALS)
    numbers = counts @ projection
    spread = float(np.sqrt(numbers.var(axis=0).sum()))
    return {
        "name": name, "kind": "ngrams", "missing": "", "lengths": list(LENGTHS), "projection": projection.tolist(),
        "parts": [f"n-grams {place + 1}" for place in range(projection.shape[1])],
        "center": numbers.mean(axis=0).tolist(), "scale": spread if spread > LEAST_SPREAD else 1.0,
    } | ({"indicator": True} if with_indicator and texts.isna().any() else {})  # fmt: skip
