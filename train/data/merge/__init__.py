"""Several datasets become one in which each person is one identity.

1. Every picture is embedded; each identity gets a centre (``profiles``, kept in the cache, in pieces that an
   interrupted call goes on from).
2. Identities are compared in order: same people, and people of a test set, are found (``matching``).
3. What is left is written as any other source of pictures is (``source``, ``train.data.prepare``).
"""
