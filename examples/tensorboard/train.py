"""Logistic regression on two clouds of points, with numpy alone; loss and accuracy go to TensorBoard."""

import argparse
import time
from pathlib import Path

import numpy as np
from tensorboard.summary import Writer

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int)
parser.add_argument("--pause", type=float)
parser.add_argument("--logs")
args = parser.parse_args()

random = np.random.default_rng(7)
points = np.concatenate([random.normal(-1, 1.2, (200, 2)), random.normal(1, 1.2, (200, 2))])
labels = np.repeat([0.0, 1.0], 200)
weights, bias = np.zeros(2), 0.0

writer = Writer(f"{args.logs}/run")
for epoch in range(args.epochs):
    guess = 1 / (1 + np.exp(-(points @ weights + bias)))
    loss = -np.mean(labels * np.log(guess) + (1 - labels) * np.log(1 - guess))
    accuracy = np.mean((guess > 0.5) == labels)
    writer.add_scalar("loss", loss, epoch)
    writer.add_scalar("accuracy", accuracy, epoch)
    writer.flush()
    print(f"epoch {epoch}: loss {loss:.4f}, accuracy {accuracy:.4f}", flush=True)
    weights -= 0.1 * points.T @ (guess - labels) / len(labels)
    bias -= 0.1 * np.mean(guess - labels)
    time.sleep(args.pause)
writer.close()
Path("/out").mkdir(exist_ok=True)
Path("/out/accuracy").write_text(str(accuracy))
