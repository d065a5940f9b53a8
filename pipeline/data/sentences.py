"""The sentences that warn of a source, as templates: the report knows a sentence by its template, and translates that.

A value stands in a template as it is shown, so a number is formatted before.
"""

from enum import StrEnum


def N_(message: str) -> str:
    """Return the message itself, which is marked for translation by this call."""
    return message


class Sentence(StrEnum):
    """A sentence about a source or its splits."""

    # These are findings of the check-up, in the order of their codes.
    TELLS_CLASSES = N_("column {name} alone tells {share} of the classes")
    TELLS_VARIANCE = N_("column {name} alone tells {share} of the variance of the target")
    NUMBERS_ROWS = N_("column {name} numbers the rows")
    IS_KEY = N_("column {name} has {count} different texts in {rows} rows, and is left out")
    ONE_VALUE = N_("column {name} has one value in all training rows")
    MISSING = N_("column {name} is missing in {share} of training rows")
    SENTINEL = N_("column {name} has {value} in {count} training rows, apart from the rest")
    EXTREME = N_("column {name} has 1 value far from all others, such as {value}")
    EXTREMES = N_("column {name} has {count} values far from all others, such as {value}")
    EXTREME_TARGETS = N_("{count} targets lie far from all others, such as {value}")
    LOST_ZEROS = N_("column {name} is read as numbers, and {count} of its cells lose their leading zeros")
    COPIES = N_("rows with the same features stand in two splits: {pairs}")
    TRAIN_VALIDATION = N_("{count} in train and validation")
    TRAIN_TEST = N_("{count} in train and test")
    VALIDATION_TEST = N_("{count} in validation and test")
    UNSEEN = N_("column {name} has categories in new rows that no training row has: {categories}")
    MOST_FREQUENT = N_("class {name} has {share} of the rows")
    CLASS_SPELLINGS = N_("classes {names} differ in blanks or case alone")
    SPELLINGS = N_("column {name} has categories that differ in blanks or case alone: {categories}")
    DATES = N_("column {name} holds dates, and the split takes no notice of time")
    GROUP = N_("column {name} has {count} values, each in several rows")
    MANY_FEATURES = N_("there are {count} features for {rows} training rows")
    MORE = N_("{count} more")

    # These are warnings that have no code.
    NO_NAME = N_("column {place} has no name and is left out")
    NO_NAMES = N_(
        "it has no row of names, so its columns are called column_1, column_2 and so on "
        "(data.read.header: true takes the first row for the names)"
    )
    NO_VALUE = N_("column {name} has no value in any row and is left out")
    NO_TRAINING_VALUE = N_("column {name} has no value in the training part and is left out")
    RARE_CLASSES = N_("rows of classes with too few of them are left out: {count} of {rows}")
    TAKEN_AS_CLASSES = N_(
        "the target's {count} different whole numbers are taken as classes; set data.task to regression if they are "
        "amounts"
    )
    TAKEN_AS_NUMBERS = N_(
        "the target's {count} different whole numbers are taken as numbers; set data.task to classification if they "
        "are classes"
    )
    VALIDATION_LACKS = N_("validation has no row of some classes, so its scores say nothing of them: {classes}")
    TEST_LACKS = N_("test has no row of some classes, so its scores say nothing of them: {classes}")


WARNING = N_("{code}: {texts}; {advice} (data.accept: [{code}] silences it)")

# The advice that ends the text of each kind of finding.
ADVICE = {
    "D001": N_("if it is known only after the target, name it in data.drop"),
    "D002": N_("name it in data.drop: a network can learn the rows by it, and new rows have others"),
    "D003": N_("name it in data.drop: it tells no row from another"),
    "D004": N_("name it in data.drop, unless that a value is missing says something itself"),
    "D005": N_("if it stands for missing, leave these cells empty in the file"),
    "D006": N_("correct them if they are slips; else the other values become nearly the same once they are scaled"),
    "D007": N_("correct them if they are slips: a few such rows make most of the squared error"),
    "D008": N_(
        "if they are names (postal codes, say) and no amounts, keep them from being read as numbers: data.kinds"
    ),
    "D009": N_(
        "remove the copies, or name in data.group what they belong to: a model knows copies of the rows it trained on"
    ),
    "D010": N_("nothing is known of these when the model is used; more rows help, or one name for all rare ones"),
    "D011": N_("look at more than accuracy: always saying the most frequent class is right that often"),
    "D012": N_("if they mean the same, give them one name"),
    "D013": N_("if the model is to predict later rows, name it in data.time: the latest rows then are the test set"),
    "D014": N_(
        "if rows of one value belong together, name it in data.group: a patient in two splits makes scores too good"
    ),
    "D015": N_("name columns in data.drop, or expect overfitting"),
}
