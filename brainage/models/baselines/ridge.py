"""Ridge regression whose penalty is chosen by leave-one-out, as both ridge baselines use it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Penalties that are tried, on standardised features.
ALPHAS = np.logspace(-1, 6, 29)


class Ridge:
    """Standardises features, and fits scikit-learn's RidgeCV."""

    def fit(self, features: NDArray[np.float64], age: NDArray[np.float64]) -> None:
        """Fit; the penalty is chosen by generalised leave-one-out on these participants alone."""
        from sklearn.linear_model import RidgeCV

        self._center = features.mean(axis=0)
        spread = features.std(axis=0)
        self._scale = np.where(spread > 0, spread, 1.0)
        fitted = RidgeCV(alphas=ALPHAS).fit((features - self._center) / self._scale, age)
        self._weights, self._intercept, self._alpha = fitted.coef_, float(fitted.intercept_), float(fitted.alpha_)

    def predict(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return predicted ages, in years."""
        return np.asarray((features - self._center) / self._scale @ self._weights + self._intercept)

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return what was learned."""
        return {
            "center": self._center,
            "scale": self._scale,
            "weights": self._weights,
            "intercept": np.array(self._intercept),
            "alpha": np.array(self._alpha),
        }
