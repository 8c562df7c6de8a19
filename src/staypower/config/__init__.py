"""The config: strict YAML in, typed settings out, every fault at once."""

from staypower.config.loading import load_config
from staypower.config.playbooks import DEFAULT_PLAYBOOK, load_playbook, read_playbook
from staypower.config.reference import config_reference
from staypower.config.settings import OutputSettings, Settings, TierSettings
from staypower.config.showing import ShownConfig, show_config

__all__ = [
    "DEFAULT_PLAYBOOK",
    "OutputSettings",
    "Settings",
    "ShownConfig",
    "TierSettings",
    "config_reference",
    "load_config",
    "load_playbook",
    "read_playbook",
    "show_config",
]
