"""A loss of Keras as users write it: a subclass of `keras.losses.Loss`."""

import keras
from keras import ops


class Focal(keras.losses.Loss):
    def __init__(self, gamma=2.0, **kwargs):
        super().__init__(**kwargs)
        self.gamma = gamma

    def call(self, y_true, y_pred):
        p = ops.clip(ops.sigmoid(y_pred), 1e-7, 1 - 1e-7)
        right = y_true * p + (1 - y_true) * (1 - p)
        return ops.mean(-((1 - right) ** self.gamma) * ops.log(right), axis=-1)


def huber(y_true, y_pred):
    return ops.mean(ops.where(abs(y_true - y_pred) < 1, (y_true - y_pred) ** 2, 1.0))
