"""Simulated WhatsApp providers, by the vendors' public descriptions.

They judge every request, keep what they accept, sign what they send back, and can be
told to fail. They share no code with the bridge.
"""
