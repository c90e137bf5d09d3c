"""A model that slimgpt pruned: transformers' own {LAYER}, each built at its own size.

Nothing is computed here.
"""

from torch import nn
from transformers import {CAUSAL}, {MODEL}
from transformers.models.{MODULE}.modeling_{MODULE} import {LAYER}

from .configuration_slim{MODULE} import Slim{CONFIG}


class Slim{MODEL}({MODEL}):
    """The decoder without its output head."""

    config_class = Slim{CONFIG}

    def __init__(self, config):
        super().__init__(config)
        self.layers = nn.ModuleList([{LAYER}(config.layer_config(i), i) for i in range(config.num_hidden_layers)])
        self.post_init()


class Slim{CAUSAL}({CAUSAL}):
    """The decoder with its output head."""

    config_class = Slim{CONFIG}

    def __init__(self, config):
        super().__init__(config)
        self.model = Slim{MODEL}(config)
        self.post_init()
