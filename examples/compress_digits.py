"""
Compress digits to 8 values
===========================

An autoencoder and PCA, both with 8 values an image, on digits that neither has seen.
"""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from sklearn_dae import DeepAutoencoderCompressor
from sklearn_dae.datasets import load_digits
from sklearn_dae.evaluation import plot_reconstructions, squared_error_per_image

digits = load_digits()
training, test = train_test_split(digits.data, test_size=0.2, random_state=0)

methods = {
    "autoencoder": DeepAutoencoderCompressor(8, random_state=0),
    "PCA": PCA(8),
}
restored = {}
for name, method in methods.items():
    codes = method.fit(training).transform(test)
    restored[name] = np.clip(method.inverse_transform(codes), 0, 16)
    error = squared_error_per_image(test, restored[name], (0, 16))
    print(f"{name}: squared error an image {error:.3f}")

figure = plot_reconstructions(
    test[:12],
    {name: images[:12] for name, images in restored.items()},
    digits.shape,
    title="Held-out digits, each stored as 8 values",
)
figure.savefig("compress_digits.png")
