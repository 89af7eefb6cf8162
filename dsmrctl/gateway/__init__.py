"""This computer as the interface: telegrams in; frames, raw telegrams and MQTT out."""
