"""Query a server with clip-retrieval's own ClipClient, in an environment that has it; print the answers."""

import importlib.util
import json
import sys
from pathlib import Path

# The file by itself: its package imports a model, a web framework and more, which a client does not need.
found = importlib.util.find_spec("clip_retrieval")
(package_folder,) = found.submodule_search_locations
spec = importlib.util.spec_from_file_location("clip_client", Path(package_folder) / "clip_client.py")
clip_client = importlib.util.module_from_spec(spec)
spec.loader.exec_module(clip_client)

url, name, picture, dim = sys.argv[1:]
client = clip_client.ClipClient(
    url=url + "knn-service", indice_name=name, num_images=3, use_safety_model=True
)
answers = {
    "text": client.query(text="red"),
    "image": client.query(image=picture),
    "embedding": client.query(embedding_input=[1.0] * int(dim)),
}
json.dump(answers, sys.stdout)
