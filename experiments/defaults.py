"""The settings that a search and a study from Python begin with: those of `params.yaml`, which a test holds them to."""

from pipeline.settings import Dimension, EarlyStopping, Model, Search, Study, Train

MODEL = Model(hidden_units=(128, 128))
TRAIN = Train(batch_size=32, epochs=60, early_stopping=EarlyStopping(patience=10))

SEARCH = Search(
    space={
        "train.optimizer": Dimension(
            choices=["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw", "nadam", "lion"]
        ),
        "train.learning_rate": Dimension(low=1e-4, high=0.3, log=True),
        "train.momentum": Dimension(low=0.5, high=0.98, when={"train.optimizer": ["momentum", "nesterov"]}),
        "train.batch_size": Dimension(choices=[32, 64, 128]),
        "model.hidden_units": Dimension(width=[32, 64, 128, 256], depth=[1, 2]),
        "model.activation": Dimension(choices=["relu", "tanh", "gelu"]),
        "model.l1": Dimension(low=1e-6, high=1e-3, log=True, switch=True),
        "model.l2": Dimension(low=1e-6, high=1e-2, log=True, switch=True),
        "train.weight_decay": Dimension(low=1e-4, high=0.1, log=True, switch=True),
        "model.dropout": Dimension(low=0.1, high=0.5, switch=True),
        "model.input_dropout": Dimension(low=0.05, high=0.3, switch=True),
        "model.batch_norm": Dimension(choices=[True, False]),
        "model.max_norm": Dimension(low=1.0, high=4.0, switch=True),
        "model.gaussian_noise": Dimension(low=0.05, high=0.3, switch=True),
        "train.label_smoothing": Dimension(low=0.02, high=0.2, switch=True),
        "train.ema": Dimension(low=0.9, high=0.999, switch=True),
        "train.swa": Dimension(low=0.1, high=0.75, switch=True),
        "train.mixup": Dimension(low=0.1, high=1.0, log=True, switch=True),
    }
)

STUDY = Study(
    remedies={
        "model.l2": [1e-4, 1e-3, 1e-2],
        "train.weight_decay": [0.01, 0.1, 1.0],
        "model.dropout": [0.2, 0.35, 0.5],
        "model.input_dropout": [0.1, 0.2, 0.3],
        "model.batch_norm": [True],
        "model.max_norm": [1.0, 2.0, 4.0],
        "model.gaussian_noise": [0.1, 0.2, 0.4],
        "train.label_smoothing": [0.02, 0.05, 0.1],
        "train.early_stopping.patience": [10],
    },
    widths=[2, 8, 32, 128, 256],
    optimizers=["sgd", "momentum", "rmsprop", "adam", "nadam", "lion"],
    activations=["relu", "tanh", "gelu", "selu", "sigmoid"],
)
