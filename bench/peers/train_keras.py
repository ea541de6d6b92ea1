"""Keras: `model.fit` with validation, on TensorFlow, as the classic tutorial does it."""

import time

import keras

import dataset
import trainer
from configurations import HIDDEN, Point

OPTIMIZERS = {
    "adadelta": keras.optimizers.Adadelta,
    "adagrad": keras.optimizers.Adagrad,
    "adam": keras.optimizers.Adam,
    "ftrl": keras.optimizers.Ftrl,
    "sgd": keras.optimizers.SGD,
}


def compiled_model(split: dataset.Split, point: Point) -> keras.Model:
    """The classic network: relu layers, softmax, Keras's own initialisation."""
    model = keras.Sequential(
        [keras.layers.Input((split.inputs,))]
        + [keras.layers.Dense(width, activation="relu") for width in HIDDEN]
        + [keras.layers.Dense(split.classes, activation="softmax")]
    )
    model.compile(
        optimizer=OPTIMIZERS[point.optimizer](learning_rate=point.learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


class Clock(keras.callbacks.Callback):
    """Seconds of each epoch; Keras validates before it calls the end."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._start = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.seconds.append(time.perf_counter() - self._start)


def main() -> None:
    arguments = trainer.arguments("Keras")
    split = dataset.load(arguments.data)
    keras.utils.set_random_seed(arguments.seed)
    point = Point(arguments.optimizer, arguments.learning_rate, arguments.batch_size)
    clock = Clock()
    history = compiled_model(split, point).fit(
        split.x_train,
        split.y_train,
        batch_size=point.batch_size,
        epochs=arguments.epochs,
        validation_data=(split.x_test, split.y_test),
        callbacks=[clock],
        verbose=0,
    ).history
    columns = [history[name] for name in ("loss", "accuracy", "val_loss", "val_accuracy")]
    trainer.report([trainer.Epoch(*map(float, row)) for row in zip(clock.seconds, *columns, strict=True)])


if __name__ == "__main__":
    main()
