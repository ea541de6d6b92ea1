"""PyTorch, eager: the loop that people write for data in memory, without its slow parts.

Batches are rows of one shuffled index (a DataLoader would gather sample by sample), and no number is read back within an
epoch.
"""

import time

import torch

import dataset
import trainer
from configurations import HIDDEN


def network(inputs: int, classes: int) -> torch.nn.Sequential:
    """The classic network, Glorot uniform kernels and zero biases; softmax is part of the loss."""
    widths = [inputs, *HIDDEN, classes]
    layers: list[torch.nn.Module] = []
    for fan_in, fan_out in zip(widths, widths[1:]):
        layers += [torch.nn.Linear(fan_in, fan_out), torch.nn.ReLU()]
        torch.nn.init.xavier_uniform_(layers[-2].weight)
        torch.nn.init.zeros_(layers[-2].bias)
    return torch.nn.Sequential(*layers[:-1])


def main() -> None:
    arguments = trainer.arguments("PyTorch")
    split = dataset.load(arguments.data)
    torch.manual_seed(arguments.seed)
    x_train, x_test = torch.from_numpy(split.x_train), torch.from_numpy(split.x_test)
    y_train, y_test = torch.from_numpy(split.y_train).long(), torch.from_numpy(split.y_test).long()
    model = network(split.inputs, split.classes)
    cross_entropy = torch.nn.CrossEntropyLoss()
    if arguments.optimizer == "sgd":
        optimizer = torch.optim.SGD(model.parameters(), lr=arguments.learning_rate)
    else:
        optimizer = torch.optim.Adam(model.parameters(), lr=arguments.learning_rate, eps=1e-7)

    def epoch() -> trainer.Epoch:
        start = time.perf_counter()
        loss_sum, correct = torch.zeros(()), torch.zeros((), dtype=torch.long)
        for rows in torch.randperm(len(x_train)).split(arguments.batch_size):
            labels = y_train[rows]
            logits = model(x_train[rows])
            loss = cross_entropy(logits, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss_sum += loss.detach() * len(rows)
            correct += (logits.detach().argmax(1) == labels).sum()
        with torch.no_grad():
            logits = model(x_test)
            val_loss = cross_entropy(logits, y_test).item()
            val_accuracy = (logits.argmax(1) == y_test).float().mean().item()
        loss, accuracy = loss_sum.item() / len(x_train), correct.item() / len(x_train)
        return trainer.Epoch(time.perf_counter() - start, loss, accuracy, val_loss, val_accuracy)

    trainer.report([epoch() for _ in range(arguments.epochs)])


if __name__ == "__main__":
    main()
