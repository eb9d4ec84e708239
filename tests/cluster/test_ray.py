"""A real Ray cluster of several raylets on this machine, while nodes are killed: `make ray`."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from snapseek.cluster.piece import piece_paths
from snapseek.cluster.ray_index import ClusterOptions, cluster_index
from snapseek.cluster.tasks import tasks_of
from snapseek.collection import Collection
from tests.support.embedding_files import write_embeddings
from tests.support.vector_rows import unit_rows

PICTURES = int(os.environ.get("SNAPSEEK_RAY", "0"))
PARTITIONS = 8
KILLS = 2
VECTORS = 104_000
"""In 2 partitions, each above the 50,000 from which on there are lists, and so a training."""

pytestmark = [
    pytest.mark.skipif(not PICTURES, reason="SNAPSEEK_RAY is not set: make ray"),
    pytest.mark.filterwarnings("ignore"),  # those of Ray
]


@pytest.fixture(scope="module")
def cluster():
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    started = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    for _ in range(2):
        started.add_node(num_cpus=1)
    yield started
    import ray

    ray.shutdown()
    started.shutdown()


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ray") / "pictures"
    rng = np.random.default_rng(0)
    for number in range(PICTURES):
        path = folder / f"{number // 1000:03}" / f"{number:06}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (24, 24, 3), np.uint8)).save(path)
    return folder


def vectors_of(target, tasks):
    return [np.load(piece_paths(task.folder, task.number)[0]) for task in tasks]


def test_killed_nodes_change_nothing(cluster, source, tmp_path, tiny_model, encoder):
    size = max(8, PICTURES // 80)
    options = ClusterOptions(
        partitions=PARTITIONS, model=str(tiny_model), address=cluster.address, pictures=size
    )
    undisturbed = cluster_index(source, tmp_path / "undisturbed", options)
    killed = []

    def kill(stage, done, total, failed):
        """Kill a node after a third and after two thirds, and start another."""
        if stage == "embed" and len(killed) < KILLS and done * (KILLS + 1) >= total * (len(killed) + 1):
            node = list(cluster.worker_nodes)[-1]
            killed.append(node)
            cluster.remove_node(node, allow_graceful=False)
            cluster.add_node(num_cpus=1)

    start = time.monotonic()
    disturbed = cluster_index(source, tmp_path / "disturbed", options, kill)
    took_s = time.monotonic() - start
    sys.stderr.write(f"{PICTURES} pictures, {len(killed)} nodes killed, {took_s:.0f} s\n")
    assert len(killed) == KILLS
    assert disturbed.rows == undisturbed.rows == PICTURES
    assert disturbed.failures == undisturbed.failures == ()
    listed = [
        tasks_of(source, tmp_path / name, PARTITIONS, encoder.space, size=size)
        for name in ("undisturbed", "disturbed")
    ]
    for one, other in zip(*(vectors_of(tmp_path, tasks) for tasks in listed), strict=True):
        assert np.array_equal(one, other)
    libraries = [Collection.open(report.manifest, encoder=encoder) for report in (undisturbed, disturbed)]
    assert [one.info().count for one in libraries] == [PICTURES] * 2
    found = [[(hit.id, hit.uri, hit.score) for hit in one.search("red", 100)] for one in libraries]
    assert found[0] == found[1]
    assert [len(one.partitions()) for one in libraries] == [PARTITIONS] * 2


def test_a_stopped_run_continues_where_it_stopped(cluster, source, tmp_path, tiny_model):
    options = ClusterOptions(
        partitions=2, model=str(tiny_model), address=cluster.address, pictures=max(8, PICTURES // 40)
    )
    stopped = threading.Event()

    def stop(stage, done, total, failed):
        if done * 2 >= total:
            stopped.set()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cluster_index(source, tmp_path / "out", options, stop)
    assert stopped.is_set()
    report = cluster_index(source, tmp_path / "out", options)
    assert report.rows == PICTURES
    assert report.resumed > 0


def test_npy_is_the_layout_of_clip_retrieval(cluster, source, tmp_path, tiny_model):
    options = ClusterOptions(output="npy", model=str(tiny_model), address=cluster.address)
    report = cluster_index(source, tmp_path / "out", options)
    assert report.manifest is None
    assert (tmp_path / "out" / "img_emb" / "img_emb_0000.npy").is_file()
    assert (tmp_path / "out" / "metadata" / "metadata_0000.parquet").is_file()


def kill_worker(cluster, name, stop):
    """Kill the first worker process of the cluster that runs the function of that name."""
    raylets = {node.all_processes["raylet"][0].process.pid for node in cluster.list_all_nodes()}
    while not stop.is_set():
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if not (path / "cmdline").read_bytes().startswith(f"ray::{name}".encode()):
                    continue
                parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, ValueError):
                continue
            if parent in raylets:
                os.kill(int(path.name), signal.SIGKILL)
                return
        stop.wait(0.02)


def test_workers_killed_while_training_change_nothing(cluster, tmp_path, tiny_model, encoder):
    parts = [unit_rows(VECTORS // 2, dim=encoder.dim, seed=number) for number in range(2)]
    source = write_embeddings(tmp_path / "source", *parts)
    options = ClusterOptions(partitions=2, model=str(tiny_model), address=cluster.address)
    undisturbed = cluster_index(source, tmp_path / "undisturbed", options)
    stop, killers = threading.Event(), []
    for name in ("_train", "_make"):
        killers.append(threading.Thread(target=kill_worker, args=(cluster, name, stop)))
        killers[-1].start()
    try:
        disturbed = cluster_index(source, tmp_path / "disturbed", options)
        assert not any(killer.is_alive() for killer in killers), "each has killed a worker"
    finally:
        stop.set()
        for killer in killers:
            killer.join()
    libraries = [Collection.open(report.manifest, encoder=encoder) for report in (undisturbed, disturbed)]
    trainings = [
        {member.facts.training for member in one.collection_snapshot().members.values()} for one in libraries
    ]
    assert trainings[0] == trainings[1]
    assert len(trainings[0]) == 1
    assert "" not in trainings[0]
    found = [[(hit.id, hit.uri, hit.score) for hit in one.search("red", 100)] for one in libraries]
    assert found[0] == found[1]
    assert not list((tmp_path / "disturbed").glob(".*.tmp*")), "drafts of killed workers"
