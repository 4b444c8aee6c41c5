"""From a source of pictures to shuffled shards or a ``.rec``, in two passes that can be interrupted and resumed.

1. Every picture is looked at once, in chunks: damaged ones and photos without a face are noted, and what must be
   encoded anew (aligned faces, other formats than JPEG) is kept aside. (``checking``)
2. The good ones are written in their final order, each as it came or as it was kept aside. (``shards``, ``records``)

Both passes run in worker processes. What is finished lies in a working folder under names that only whole files have.
"""
