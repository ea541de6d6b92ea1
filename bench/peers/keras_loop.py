"""The classic sweep as the tutorial runs it: a loop over the models, `model.fit` each, a table at the end."""

import argparse
import json

import keras

import dataset
from configurations import CLASSIC_POINTS
from train_keras import compiled_model


def main() -> None:
    parser = argparse.ArgumentParser(description="Trains the eleven models of the classic sweep with Keras.")
    parser.add_argument("--data", required=True, help="an npz file")
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", required=True, help="where the results go as well")
    arguments = parser.parse_args()

    split = dataset.load(arguments.data)
    results = []
    for point in CLASSIC_POINTS:
        keras.backend.clear_session()
        keras.utils.set_random_seed(arguments.seed)
        history = compiled_model(split, point).fit(
            split.x_train,
            split.y_train,
            batch_size=point.batch_size,
            epochs=arguments.epochs,
            validation_data=(split.x_test, split.y_test),
            verbose=0,
        ).history
        results.append(vars(point) | {"epochs_done": len(history["loss"]), "history": history})
        # After each model: a loop of ten minutes that is interrupted has something to show.
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(results, file)

    results.sort(key=lambda result: result["history"]["val_accuracy"][-1], reverse=True)
    for result in results:
        name = f"{result['optimizer']} {result['learning_rate']:g} {result['batch_size']}"
        print(f"{name:<20} {result['history']['val_accuracy'][-1]:.4f}")


if __name__ == "__main__":
    main()
