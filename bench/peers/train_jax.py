"""JAX: a whole epoch is one compiled function, a scan over the batches of a shuffled index.

The last partial batch is a step of its own in the same function. Compiling falls into the first epoch.
"""

import time

import jax
import jax.numpy as jnp
import numpy as np

import dataset
import trainer
from configurations import HIDDEN

Params = list[tuple[jax.Array, jax.Array]]

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7


def initial(seed: int, inputs: int, classes: int) -> Params:
    """Glorot uniform kernels, zero biases."""
    widths = [inputs, *HIDDEN, classes]
    keys = jax.random.split(jax.random.key(seed), len(widths) - 1)
    glorot = jax.nn.initializers.glorot_uniform()
    return [(glorot(key, shape), jnp.zeros(shape[1])) for key, shape in zip(keys, zip(widths, widths[1:]))]


def score(params: Params, x: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Mean cross-entropy and the number of right answers."""
    for kernel, bias in params[:-1]:
        x = jax.nn.relu(x @ kernel + bias)
    kernel, bias = params[-1]
    logits = x @ kernel + bias
    picked = jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], axis=1)
    return -picked.mean(), (logits.argmax(1) == y).sum()


def update(optimizer: str, learning_rate: float, state: dict, gradient: Params) -> dict:
    """One step of sgd, or of adam as Keras computes it."""
    if optimizer == "sgd":
        return {"params": jax.tree.map(lambda p, g: p - learning_rate * g, state["params"], gradient)}
    step = state["step"] + 1
    m = jax.tree.map(lambda m, g: m + (g - m) * (1 - BETA_1), state["m"], gradient)
    v = jax.tree.map(lambda v, g: v + (g * g - v) * (1 - BETA_2), state["v"], gradient)
    alpha = learning_rate * jnp.sqrt(1 - BETA_2**step) / (1 - BETA_1**step)
    params = jax.tree.map(lambda p, m, v: p - m * alpha / (jnp.sqrt(v) + EPSILON), state["params"], m, v)
    return {"params": params, "m": m, "v": v, "step": step}


def compiled_epoch(optimizer: str, learning_rate: float, batch_size: int):
    """The function (state, x, y, order) -> (state, loss sum, right answers)."""

    def epoch(state: dict, x: jax.Array, y: jax.Array, order: jax.Array):
        def step(state: dict, rows: jax.Array):
            value_and_gradient = jax.value_and_grad(score, has_aux=True)
            (loss, right), gradient = value_and_gradient(state["params"], x[rows], y[rows])
            return update(optimizer, learning_rate, state, gradient), (loss * len(rows), right)

        whole = len(order) // batch_size * batch_size
        state, (losses, rights) = jax.lax.scan(step, state, order[:whole].reshape(-1, batch_size))
        loss_sum, right_sum = losses.sum(), rights.sum()
        if whole < len(order):
            state, (loss, right) = step(state, order[whole:])
            loss_sum, right_sum = loss_sum + loss, right_sum + right
        return state, loss_sum, right_sum

    return jax.jit(epoch, donate_argnums=0)


def main() -> None:
    arguments = trainer.arguments("JAX")
    split = dataset.load(arguments.data)
    x_train, y_train, x_test, y_test = map(
        jnp.asarray, (split.x_train, split.y_train, split.x_test, split.y_test)
    )
    params = initial(arguments.seed, split.inputs, split.classes)
    state = {"params": params}
    if arguments.optimizer == "adam":
        state |= {"m": jax.tree.map(jnp.zeros_like, params), "v": jax.tree.map(jnp.zeros_like, params)}
        state |= {"step": jnp.float32(0)}
    train = compiled_epoch(arguments.optimizer, arguments.learning_rate, arguments.batch_size)
    validate = jax.jit(score)
    shuffle = np.random.default_rng(arguments.seed)

    epochs = []
    for _ in range(arguments.epochs):
        start = time.perf_counter()
        order = jnp.asarray(shuffle.permutation(len(x_train)).astype(np.int32))
        state, loss_sum, right = train(state, x_train, y_train, order)
        val_loss, val_right = validate(state["params"], x_test, y_test)
        numbers = [
            float(loss_sum) / len(x_train),
            int(right) / len(x_train),
            float(val_loss),
            int(val_right) / len(x_test),
        ]
        epochs.append(trainer.Epoch(time.perf_counter() - start, *numbers))
    trainer.report(epochs)


if __name__ == "__main__":
    main()
