"""
The paper's experiment, in five figures
=======================================

*Image compression using deep autoencoder* learns a stack of restricted Boltzmann
machines (RBMs), unrolls it to an autoencoder, fine-tunes that by backpropagation, and
cuts its output at one half to black and white. A quarter as many values as pixels are
kept: 196 of 784.

Digits of 8 x 8 pixels take seconds. ``--data mnist`` is the paper's own experiment, on
the first 20,000 training and the first 1,000 test images with 784-1000-500-196 units:
ten minutes on two cores.
"""

import argparse
import copy
from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.model_selection import train_test_split

from sklearn_dae import PAPER_SETTINGS, DeepAutoencoderCompressor
from sklearn_dae.datasets import load_digits, load_mnist
from sklearn_dae.evaluation import (
    FilterDisplay,
    LossCurveDisplay,
    ReconstructionDisplay,
    squared_error_per_image,
)

parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
parser.add_argument("--data", choices=["digits", "mnist"], default="digits")
parser.add_argument("--max-iter", type=int, default=200, help="of fine-tuning")
parser.add_argument(
    "--output", type=Path, default=Path(), help="folder of the pictures"
)
arguments = parser.parse_args()

# %%
# Figure 1: images
# ----------------

if arguments.data == "mnist":
    training, test = load_mnist("train").data[:20000], load_mnist("test").data[:1000]
else:
    training, test = train_test_split(load_digits().data, test_size=0.2, random_state=0)
pixel_range = (float(training.min()), float(training.max()))


def save(display, name):
    display.figure_.savefig(arguments.output / f"paper_{name}.png")


originals = ReconstructionDisplay(training[:12], {"held out": test[:12]})
originals.plot(title=f"{len(training):,} images to learn from, {len(test):,} held out")
originals.ax_.set_yticklabels(["training", "held out"])
save(originals, "1_images")

# %%
# Figures 2 and 3: pretraining
# ----------------------------
#
# Without any iteration of fine-tuning, the autoencoder is its unrolled RBMs.

dae = DeepAutoencoderCompressor(**PAPER_SETTINGS, max_iter=0, random_state=0)
dae.fit(training)
print(dae.network_.layout)

filters = FilterDisplay.from_estimator(dae)
save(filters, "2_filters")

pretraining = LossCurveDisplay.from_estimator(dae)
save(pretraining, "3_pretraining")
for label, errors in pretraining.pretraining_errors.items():
    print(
        f"RBM {label}: squared error of its input {errors[0]:.2f} to {errors[-1]:.2f}"
    )

# %%
# Figure 4: fine-tuning
# ---------------------
#
# A callback sees the autoencoder after each iteration.


def error(autoencoder, images):
    """Squared error of an image, with pixels scaled to [0, 1]."""
    restored = autoencoder.inverse_transform(autoencoder.transform(images))
    return squared_error_per_image(images, restored, pixel_range)


class Errors:
    """Note the errors on training and on held-out images."""

    def setup(self, estimator, context):
        self.training, self.test = [], []

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, fitted_estimator):
        if context.task_name == "iteration":
            self.training.append(error(fitted_estimator, training[:1000]))
            self.test.append(error(fitted_estimator, test))


print(f"unrolled: error {error(dae, training):.2f}, held out {error(dae, test):.2f}")
errors = Errors()
dae.set_params(max_iter=arguments.max_iter, warm_start=True)
dae.set_callbacks(errors).fit(training)
dae.set_callbacks()
print(f"fine-tuned: error {error(dae, training):.2f}, held out {error(dae, test):.2f}")

fine_tuning = LossCurveDisplay(
    errors.training,
    validation_loss_curve=errors.test,
    loss_name="squared error of an image",
    iteration_name="iteration of fine-tuning",
).plot()
fine_tuning.ax_.legend(["training", "held out"])
save(fine_tuning, "4_fine_tuning")

# %%
# Figure 5: what comes back
# -------------------------

two_valued = copy.copy(dae).set_params(threshold=0.5)
print(f"thresholded: held out {error(two_valued, test):.2f}")

restored = ReconstructionDisplay.from_estimator(
    {"reconstructed": dae, "thresholded": two_valued}, test
)
save(restored, "5_reconstructions")
plt.close("all")
