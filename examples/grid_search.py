"""
Choose between PCA and autoencoders
===================================

One grid search ranks PCA and autoencoders with different hidden layers by the squared
error of images that they have not seen.
"""

from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from sklearn_dae import DeepAutoencoderCompressor
from sklearn_dae.datasets import load_digits
from sklearn_dae.evaluation import reconstruction_scorer

X = load_digits().data
autoencoder = DeepAutoencoderCompressor(8, max_iter=100, random_state=0)
search = GridSearchCV(
    Pipeline([("compress", PCA(8))]),
    [
        {"compress": [PCA(8)]},
        {
            "compress": [autoencoder],
            "compress__hidden_layer_sizes": [(82, 41), (128, 64), (128,)],
        },
    ],
    scoring=reconstruction_scorer,
    cv=3,
    n_jobs=2,
)
search.fit(X)

results = search.cv_results_
for score, parameters in zip(
    results["mean_test_score"], results["params"], strict=True
):
    name = type(parameters["compress"]).__name__
    layers = parameters.get("compress__hidden_layer_sizes", "")
    print(f"{name:26} {layers!s:10} squared error an image {-score:7.1f}")
print(f"best: {search.best_params_}")
