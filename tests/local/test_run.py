"""Pipelines run on this machine: what arrives where, and what is kept."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from kade2kfp.local.environments import python_mounts

sys.path.insert(0, str(Path(__file__).parent))
from running import ROOT, Ran, arrow, call, document, job, run, then


def test_what_one_task_makes_the_next_one_finds(home: Path) -> None:
    done = run(
        home,
        [
            job(
                "make",
                "mkdir /out/sub /out/empty; echo deep > /out/sub/a.txt; printf h > /out/.hidden\n"
                "printf model > /one/model.pkl; printf big > /vol/big.bin; echo 42 > /m/count.txt\n"
                'echo \'{"acc": 0.75, "note": "x", "a.b": 1e-3}\' > /m/metrics.json\n',
                metrics="/m/metrics.json",
                outputs=[{"name": "count", "type": "integer", "path": "/m/count.txt"}],
            ),
            job(
                "use",
                "cat /in/sub/a.txt /in/.hidden /models/model.pkl /v/big.bin; echo; echo $ACC $1 $2; ls /in; echo x > /w/x",
                args=["{{tasks.make.outputs.count}}", "{{params.lr}}"],
                env=[{"name": "ACC", "value": "{{tasks.make.metrics.acc}}"}],
                volumes=[{"id": "work", "mountPath": "/w"}],
            ),
        ],
        [
            arrow("make", "/out", "use", "/in"),
            arrow("make", "/one/model.pkl", "use", "/models/model.pkl"),
            arrow("make", "/vol", "use", "/v", volume="work"),
        ],
        "--set",
        "lr=1e-7",
        volumes=[{"id": "work", "create": {"size": "1Gi"}}],
        parameters=[{"name": "lr", "type": "number", "default": 0.5}],
    )
    assert done.code == 0, done.err
    assert done.log("use") == "deep\nhmodelbig\n0.75 42 1e-07\nsub\n"
    assert done.step("make").outputs == {"count": 42, "metric-acc": 0.75}
    assert done.step("make").metrics == {"acc": 0.75, "a.b": 0.001}
    assert "make: count=42, acc=0.75, a.b=0.001\n" in done.out
    assert (done.folder / "volumes/work/x").read_text() == "x\n"
    assert not (done.folder / "scratch").exists() or not list((done.folder / "scratch").iterdir())


def test_artifacts_come_as_from_an_object_store(home: Path) -> None:
    done = run(
        home,
        [
            job(
                "make",
                "echo a > /out/run.sh; chmod 700 /out/run.sh; mkdir -p /out/none/deeper; ln -s /out/run.sh /out/link\n"
                "ln -s /usr/share /tmp/x; mkdir /real; echo r > /real/r; ln -s /real /out/folder",
            ),
            job("use", "cd /in; find . | sort; test ! -x run.sh; cat link folder/r"),
        ],
        [arrow("make", "/out", "use", "/in")],
    )
    assert done.code == 0, done.err
    assert done.log("use").splitlines() == [".", "./folder", "./folder/r", "./link", "./run.sh", "a", "r"]
    stored = done.folder / "artifacts/make/out"
    assert stat.S_IMODE((stored / "run.sh").stat().st_mode) == 0o644
    assert not any(path.is_symlink() for path in stored.rglob("*"))
    assert done.step("make").artifacts[0].files == 3


def test_an_output_behind_a_link_is_the_steps_own(home: Path, tmp_path: Path) -> None:
    """A link is followed in the step's box, never on this machine."""
    (tmp_path / "secret").write_text("of this machine")
    done = run(
        home,
        [
            job("make", f"ln -s {tmp_path}/secret /out/a.txt; echo b > /out/b.txt"),
            job("link", "ln -s /etc/hostname /out"),
            job("folder", f"mkdir -p {tmp_path}/secret; rm -rf /out; ln -s {tmp_path} /out"),
            job("use", "true"),
        ],
        [
            arrow("make", "/out", "use", "/a"),
            arrow("link", "/out/x.txt", "use", "/b/x.txt"),
            arrow("folder", "/out/secret", "use", "/c"),
        ],
    )
    assert done.code == 3
    assert done.statuses() == {"make": "failed", "link": "failed", "folder": "failed", "use": "skipped"}
    assert "of this machine" not in "".join(
        path.read_text() for path in done.folder.rglob("*") if path.is_file() and not path.is_symlink()
    )


def test_a_box_has_nothing_of_the_machine_but_its_system(home: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("private")
    # The step's Python may lie below any folder of this machine; of that only the way there is seen.
    python = [bind.path for bind in python_mounts()] + [str((home / "environments").resolve())]
    way = {str(above) for path in python for above in (Path(path), *Path(path).parents)}
    others = ["/home", "/root", "/tmp", "/var/tmp", "/work", "/opt", "/srv", "/mnt", "/run"]
    prune = " ".join(f"-path {path} -prune -o" for path in python)
    probe = (
        f"cat {tmp_path}/key && exit 1; ls {home}/runs && exit 2; test -e /run/docker.sock && exit 3\n"
        f"find {' '.join(others)} {prune} -print 2>/dev/null | sed 's/^/seen /'\n"
        "for path in /usr/x /bin/x /usr/local/x; do echo x 2>/dev/null > $path && exit 4; done\n"
        "for path in /etc/passwd /proc/sys/kernel/hostname; do echo x 2>/dev/null >> $path && exit 5; done\n"
        "grep -q 'CapEff:.0000000000000000' /proc/self/status || exit 6\n"
        "ps_count=$(ls -d /proc/[0-9]* | wc -l); [ $ps_count -lt 12 ] || exit 7\n"
        "for path in /elsewhere /etc/elsewhere /tmp/x ~/x; do test ! -e $path || exit 8; echo x > $path; done; echo fine"
    )
    done = run(home, [job("first", probe), job("second", probe)], [then("first", "second")])
    assert done.code == 0, done.err + done.log("first")
    for step in ("first", "second"):
        lines = done.log(step).splitlines()
        assert lines[-1] == "fine"
        assert {line.removeprefix("seen ") for line in lines if line.startswith("seen ")} <= {*others, *way}
        assert "private" not in lines
    assert not Path("/elsewhere").exists()
    assert not Path("/etc/elsewhere").exists()


def test_a_step_sees_no_other_steps_paths(home: Path) -> None:
    done = run(
        home,
        [
            job("a", "echo mine > /out/a; echo other > /other/b", outputs=[]),
            job("b", "ls /in; ls /other 2>&1; ls /out 2>&1; ls /kade/in /kade/out"),
        ],
        [arrow("a", "/out", "b", "/in"), then("a", "b")],
        volumes=[],
    )
    assert done.code == 3
    assert "/other/b" in done.log("a")
    done = run(
        home,
        [
            job("a", "mkdir /other; echo mine > /out/a; echo other > /other/b"),
            job("b", "ls /in; test ! -e /other; ls /kade/in"),
        ],
        [arrow("a", "/out", "b", "/in")],
    )
    assert done.code == 0, done.err
    assert done.log("b") == "a\nin\n"
    assert [one.name for one in done.step("a").artifacts] == ["out"]
    assert not list(done.folder.rglob("other"))


def test_what_arrives_cannot_be_changed_for_others(home: Path) -> None:
    done = run(
        home,
        [
            job("make", "echo a > /out/a"),
            job("spoil", "echo b > /in/a || true; rm -f /in/a; echo c > /in/new"),
            job("use", "cat /in/a; ls /in"),
        ],
        [arrow("make", "/out", "spoil", "/in"), arrow("make", "/out", "use", "/in"), then("spoil", "use")],
    )
    assert done.code == 0, done.err
    assert done.log("use") == "a\na\n"


def test_read_only_is_read_only(home: Path) -> None:
    nas = home / "volumes/nas-claim"
    nas.mkdir(parents=True)
    (nas / "data.txt").write_text("shared\n")
    done = run(
        home,
        [
            job(
                "read", "cat /nas/data.txt; echo x > /nas/y", volumes=[{"id": "nas", "acl": "RO", "mountPath": "/nas"}]
            ),
            job("write", "echo x > /nas/z", volumes=[{"id": "nas", "mountPath": "/nas", "subPath": "deep/er"}]),
        ],
        volumes=[{"id": "nas", "claimName": "nas-claim"}],
    )
    assert done.code == 3
    assert done.statuses() == {"read": "failed", "write": "succeeded"}
    assert "shared\n" in done.log("read")
    assert "Read-only file system" in done.log("read")
    assert (nas / "deep/er/z").exists()
    assert not (nas / "y").exists()


def test_a_folder_stands_for_a_claim(home: Path, tmp_path: Path) -> None:
    (tmp_path / "nas").mkdir()
    (tmp_path / "nas/a.txt").write_text("here\n")
    task = job("read", "cat /nas/a.txt", volumes=[{"id": "nas", "mountPath": "/nas"}])
    volumes = [{"id": "nas", "claimName": "nas-claim"}]
    done = run(home, [task], None, "--volume", f"nas={tmp_path}/nas", volumes=volumes)
    assert done.code == 0
    assert done.log("read") == "here\n"
    again = call(home, "rerun", "last")
    assert again.code == 0
    assert again.log("read") == "here\n"
    wrong = run(home, [task], None, "--volume", f"nsa={tmp_path}/nas", volumes=volumes)
    assert wrong.code == 2
    assert "did you mean `nas`?" in wrong.err
    assert "there is no folder" in run(home, [task], None, "--volume", "nas=/none", volumes=volumes).err


def test_a_link_on_a_volume_leads_no_mount_out_of_it(home: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (home / "volumes/nas").mkdir(parents=True)
    (home / "volumes/nas/sub").symlink_to(tmp_path / "outside")
    mount = {"id": "nas", "mountPath": "/nas", "subPath": "sub/deeper"}
    done = run(home, [job("a", "echo x > /nas/x", volumes=[mount])], volumes=[{"id": "nas", "claimName": "nas"}])
    assert done.code == 3
    assert "error[K717]" in done.err
    assert "is a link" in done.err
    assert not list((tmp_path / "outside").iterdir())


def test_secrets_reach_the_step_and_nothing_else(home: Path, tmp_path: Path) -> None:
    word = "hunter2-äö\nsecond line"
    (tmp_path / "secrets.yaml").write_text(
        json.dumps(
            {"secrets": {"login": {"password": word, "user": "ada"}}, "configMaps": {"conf": {"level": "debug"}}}
        )
    )
    (tmp_path / "secrets.yaml").chmod(0o600)
    task = job(
        "use",
        'echo "$PW" "$LEVEL"; cat /login/password /login/user; echo; echo x > /login/y || echo read-only\n'
        'tr "\\0" "\\n" < /proc/1/cmdline',
        env=[
            {"name": "PW", "valueFrom": {"secretKeyRef": {"name": "login", "key": "password"}}},
            {"name": "LEVEL", "valueFrom": {"configMapKeyRef": {"name": "conf", "key": "level"}}},
        ],
        volumes=[{"secret": "login", "mountPath": "/login"}],
    )
    done = run(home, [task], None, "--secrets", str(tmp_path / "secrets.yaml"))
    assert done.code == 0, done.err
    lines = done.log("use").splitlines()
    assert lines[:2] == ["*** debug", "******"]
    assert "read-only" in lines
    for path in home.rglob("*"):
        if path.is_file() and "environments" not in path.parts:
            assert b"hunter2" not in path.read_bytes(), path
    assert "hunter2" not in done.out + done.err
    without = run(home, [task])
    assert without.code == 1
    assert without.err.count("error[K724]") >= 2
    assert "there is no secret `login`" in without.err


@pytest.mark.parametrize(
    ("which", "key", "said"),
    [
        ("lgoin", "user", "there is no secret `lgoin`; did you mean `login`?"),
        ("login", "usr", "the secret `login` has no key `usr`; did you mean `user`?"),
        ("login", "zero", "`zero` of the secret `login` has a byte 0, which no variable can hold"),
    ],
)
def test_a_secret_whose_name_is_known_late_is_missed_in_the_same_words(
    home: Path, tmp_path: Path, which: str, key: str, said: str
) -> None:
    (tmp_path / "s.yaml").write_text("secrets: {login: {user: ada-lovelace, zero: !!binary AGFkYQ==}}")
    name = "{{tasks.name.outputs.which}}"
    tasks = [
        job("name", f"printf {which} > /o/n", outputs=[{"name": "which", "type": "string", "path": "/o/n"}]),
        job("use", "true", env=[{"name": "USER", "valueFrom": {"secretKeyRef": {"name": name, "key": key}}}]),
    ]
    done = run(home, tasks, None, "--secrets", str(tmp_path / "s.yaml"))
    assert done.code == 3, done.err
    assert "error[K724]" in done.err
    assert said in done.err
    assert "ada-lovelace" not in done.out + done.err


def test_a_secret_is_in_no_list_of_processes(home: Path, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("secrets: {a: {b: very-secret-word}}")
    from running import alive, start

    task = job(
        "use",
        "echo x > /out/started; sleep 20",
        env=[{"name": "PW", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}],
        volumes=[{"secret": "a", "mountPath": "/a"}],
    )
    path = document(home, [task, job("b", "true")], [arrow("use", "/out", "b", "/in")])
    started = start(home, "run", str(path), "--secrets", str(tmp_path / "s.yaml"))
    started.wait_for("runs/*/scratch/use/empty-*/started")
    assert not alive("very-secret-word")
    assert started.end().code == 130


def test_types_arrive_as_kubeflow_writes_them(home: Path) -> None:
    shown = ["string", "integer", "number", "boolean", "array", "object"]
    written = ["a b", "7", "2.50", "True", '[1, {"b": "<&>"}]', '{"z": 1.0, "a": null}']
    make = "\n".join(f"printf %s '{text}' > /o/{name}" for name, text in zip(shown, written, strict=True))
    done = run(
        home,
        [
            job("make", "mkdir -p /o\n" + make, outputs=[{"name": n, "type": n, "path": f"/o/{n}"} for n in shown]),
            job("use", 'printf "%s\\n" "$@"', args=[f"{{{{tasks.make.outputs.{name}}}}}" for name in shown]),
        ],
    )
    assert done.code == 0, done.err
    assert done.log("use").splitlines() == [
        "a b",
        "7",
        "2.5",
        "true",
        '[1,{"b":"\\u003c\\u0026\\u003e"}]',
        '{"a":null,"z":1}',
    ]


def test_files_and_packages_and_the_working_folder(home: Path) -> None:
    (home / "code").mkdir()
    (home / "code/main.py").write_text("import os, sys; print(os.getcwd(), sys.argv[1], os.environ['HOME'])")
    done = run(
        home,
        [
            {
                "id": "a",
                "type": "job",
                "files": [{"path": "/app/main.py", "source": "code/main.py"}],
                "workingDir": "/app/work",
                "command": ["python", "/app/main.py", "x y"],
            }
        ],
    )
    assert done.code == 0, done.err
    assert done.log("a") == "/app/work x y /root\n"
    assert (done.folder / "files/code/main.py").exists()


def test_a_download_from_this_machine(home: Path, tmp_path: Path) -> None:
    (home / "data").mkdir()
    (home / "data/rows.csv").write_text("1,2\n")
    (tmp_path / "elsewhere.csv").write_text("3,4\n")
    tasks = [
        {"id": "get", "type": "loadData", "url": "{{params.url}}", "source": "http", "path": "/data"},
        job("use", "cat /in/*"),
    ]
    arrows = [arrow("get", "/data", "use", "/in")]
    parameters = [{"name": "url", "type": "string"}]
    near = run(home, tasks, arrows, "--set", f"url=file://{home}/data/rows.csv", parameters=parameters)
    assert near.code == 0, near.err
    assert near.log("use") == "1,2\n"
    far = f"url=file://{tmp_path}/elsewhere.csv"
    refused = run(home, tasks, arrows, "--set", far, parameters=parameters)
    assert refused.code == 3
    assert "error[K718]" in refused.err
    assert "--readable" in refused.err
    (home / "data/link.csv").symlink_to(tmp_path / "elsewhere.csv")
    linked = run(home, tasks, arrows, "--set", f"url=file://{home}/data/link.csv", parameters=parameters)
    assert linked.code == 3
    assert "error[K718]" in linked.err
    allowed = run(home, tasks, arrows, "--set", far, "--readable", str(tmp_path), parameters=parameters)
    assert allowed.code == 0
    assert allowed.log("use") == "3,4\n"
    missing = run(home, tasks, arrows, "--set", f"url=file://{home}/none", parameters=parameters)
    assert missing.code == 3
    assert "there is no such file" in missing.err


def test_an_object_stores_copy_is_named(home: Path, tmp_path: Path) -> None:
    (tmp_path / "copy/irises").mkdir(parents=True)
    (tmp_path / "copy/irises/a.txt").write_text("from the store\n")
    tasks = [
        {"id": "get", "type": "loadData", "url": "s3://bucket/irises", "path": "/data"},
        job("use", "cat /in/a.txt"),
    ]
    arrows = [arrow("get", "/data", "use", "/in")]
    refused = run(home, tasks, arrows)
    assert refused.code == 1
    assert "error[K703]" in refused.err
    assert "--copy s3://bucket/irises=PATH" in refused.err
    done = run(home, tasks, arrows, "--copy", f"s3://bucket={tmp_path}/copy")
    assert done.code == 0, done.err
    assert done.log("use") == "from the store\n"


def test_a_parameter_without_a_value_and_a_value_that_does_not_fit(home: Path) -> None:
    tasks = [job("a", "echo $1", args=["{{params.n}}"])]
    parameters = [{"name": "n", "type": "integer", "minimum": 1}]
    missing = run(home, tasks, parameters=parameters)
    assert missing.code == 1
    assert "error[K702]" in missing.err
    assert "--set n=..." in missing.err
    assert run(home, tasks, None, "--set", "n=0", parameters=parameters).code == 1
    assert run(home, tasks, None, "--set", "n=x", parameters=parameters).code == 2
    smuggled = run(
        home,
        [job("a", "true", args=["{{params.n}}"])],
        None,
        "--set",
        "n={{workflow.uid}}",
        parameters=[{"name": "n", "type": "string"}],
    )
    assert smuggled.code == 1
    assert "K241" in smuggled.err
    assert not (home / "runs").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="another user is asked for")
def test_an_ordinary_user_runs_the_same(tmp_path: Path) -> None:
    python = next((one for one in (sys.executable, _SYSTEMS) if Path(one).exists() and _reachable(Path(one))), None)
    if python is None:
        pytest.skip(f"no Python {sys.version_info.minor} here that every user may start")
    for above in (tmp_path, *tmp_path.parents):
        if above != Path("/") and above.stat().st_mode & 0o005 != 0o005:
            above.chmod(0o755)
    home = tmp_path / "home"
    path = document(
        home,
        [
            job("make", "id -u; mkdir /out/a; echo 1 > /out/a/b", securityContext={"runAsUser": 1234}),
            job("use", "id -u; cat /in/a/b"),
        ],
        [arrow("make", "/out", "use", "/in")],
    )
    os.chown(home, 1000, 1000)
    packages = [path for path in sys.path if "site-packages" in path]
    env = {"HOME": str(home), "KADE2KFP_HOME": str(home), "PYTHONPATH": os.pathsep.join([str(ROOT), *packages])}
    done = subprocess.run(
        [python, "-m", "kade2kfp", "run", str(path)],
        env=env | {"PATH": "/usr/bin:/bin"},
        user=1000,
        group=1000,
        extra_groups=[],
        capture_output=True,
        text=True,
        timeout=120,
        cwd="/",
    )
    assert done.returncode == 0, done.stderr
    ran = Ran(0, "", "", home)
    assert ran.log("make") == "1234\n"
    assert ran.log("use") == "0\n1\n"


_SYSTEMS = f"/usr/bin/python3.{sys.version_info.minor}"


def _reachable(path: Path) -> bool:
    return all(folder.stat().st_mode & 0o005 == 0o005 for one in (path, path.resolve()) for folder in one.parents)


def test_two_runs_at_the_same_time_share_nothing(home: Path) -> None:
    from running import start

    tasks = [
        job(
            "make", "echo $1 > /out/who; sleep 0.5; cat /out/who; echo $1 > /vol/who", args=["{{run.id}}"], cache=False
        ),
        job("use", "cat /in/who /v/who"),
    ]
    arrows = [arrow("make", "/out", "use", "/in"), arrow("make", "/vol", "use", "/v", volume="nas")]
    path = document(home, tasks, arrows, volumes=[{"id": "nas", "claimName": "nas"}])
    both = [start(home, "run", str(path)) for _ in range(2)]
    assert [one.process.wait(60) for one in both] == [0, 0]
    for one in both:
        one.process.communicate()
    logs = [path.read_text().split() for path in sorted((home / "runs").glob("*/logs/use/1.log"))]
    assert len(logs) == 2
    assert all(first == second for first, second in logs)
    assert logs[0] != logs[1]


def test_json_is_for_machines(home: Path) -> None:
    done = run(home, [job("a", "echo 1")], None, "--output", "json")
    state = json.loads(done.out)
    assert state["status"] == "succeeded"
    assert state["steps"][0]["name"] == "a"
    wrong = run(home, [job("a", "{{params.none}}")], None, "--output", "json")
    assert wrong.code == 1
    assert json.loads(wrong.out)["diagnostics"][0]["code"] == "K301"
