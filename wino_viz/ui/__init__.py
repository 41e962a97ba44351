"""The interface: the player, the charts and the tabs. Nothing here imports torch."""
