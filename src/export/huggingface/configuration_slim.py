"""The configuration of a model that slimgpt pruned: a {CONFIG} whose layers differ in size.

`per_layer_config` of config.json holds what each layer has of its own (query heads, key/value
heads, feed-forward channels); the globals beside it are the sizes before pruning. Everything else
is what {CONFIG} says.
"""

import copy

from transformers import {CONFIG}


class Slim{CONFIG}({CONFIG}):
    """A {CONFIG} that knows the sizes of every layer."""

    model_type = "slim_{MODULE}"

    def layer_config(self, index):
        """The configuration of layer `index`, with that layer's own sizes as globals."""
        own = self.per_layer_config
        if not isinstance(own, dict):
            # transformers 5.15 and later resolve the key themselves.
            return own[index]
        layer = copy.copy(self)
        # transformers 5 pads the keys with zeros when it saves.
        sizes = {int(key): value for key, value in own.items()}.get(index, {})
        for key, value in sizes.items():
            setattr(layer, key, value)
        return layer

    def validate(self, *_args, **_kwargs):
        """Nothing: what transformers 5 would check holds for layers that are all alike."""

    def validate_architecture(self, *_args, **_kwargs):
        """Nothing: pruned heads need not divide the hidden size."""
