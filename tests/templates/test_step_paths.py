"""Inputs are where the document says, outputs where the backend looks, and what cannot be set up is said clearly."""

from __future__ import annotations

import os
from pathlib import Path
from time import monotonic

import pytest

from .step_script import Box, Done, each_shell, each_user, program, step

# In every path: spaces, both quotes, a dollar, a backslash, a glob, a letter that is not ASCII.
ODD = 'it\'s "a" $HOME\\ * 한'


@pytest.fixture
def box(shell: str, user: int, tmp_path: Path) -> Box:
    return Box(shell, tmp_path, user)


def arrive(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content)


def stored(folder: Path) -> list[str]:
    """The files that KFP would store of an output, by their paths, and what opening them fails with."""
    found = []
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            found += stored(Path(entry.path))
        else:
            found.append(f"{entry.path} {Path(entry.path).read_text()}")
    return sorted(found)


@each_shell
@each_user
def test_a_folder_that_arrived_is_there_with_all_its_entries(box: Box, tmp_path: Path) -> None:
    arrive(tmp_path / ODD / "arrived", a="1", __hidden="2", ____two="3")
    arrive(tmp_path / ODD / "arrived" / "b c", d="4")
    (tmp_path / ODD / "arrived" / "dangling").symlink_to("/nowhere")
    done = box(
        "+",
        f"/box/{ODD}/arrived",
        "i",
        f"/tmp/{ODD}/in",
        "--",
        "sh",
        "-c",
        'cd "$0" && ls -A && cat "b c/d"',
        f"/tmp/{ODD}/in",
    )
    assert (done.code, done.err) == (0, "")
    *names, content = done.out.decode().splitlines()
    assert sorted(names) == sorted(["a", ".hidden", "..two", "b c", "dangling"])
    assert content == "4"


@each_shell
def test_linking_again_changes_nothing(shell: str, tmp_path: Path) -> None:
    arrive(tmp_path / "from" / "sub", x="1")
    arrive(tmp_path / "from" / "other", y="1")
    words = ("+", f"{tmp_path}/from", "i", f"{tmp_path}/in", "--", "sh", "-c", f"ls {tmp_path}/in {tmp_path}/in/sub")
    first, second = step(shell, *words), step(shell, *words)
    assert (second.code, second.err) == (0, "")
    assert first.out == second.out
    assert sorted(os.listdir(tmp_path / "from" / "sub")) == ["x"]
    assert not (tmp_path / "in" / "sub").is_symlink()


@each_shell
@each_user
def test_who_walks_the_folder_finds_what_lies_deeper(box: Box, tmp_path: Path) -> None:
    names = [ODD, "a\nb", "-rf", "\n", "..x", ".hidden"]
    for name in names:
        arrive(tmp_path / "from" / name / name, **{name: "1"})
        (tmp_path / "from" / name / "empty").mkdir()
    find = ("find", "/tmp/in", "(", "-type", "d", "-o", "-type", "l", ")", "-print0")
    done = box("+", "/box/from", "i", "/tmp/in", "--", *find)
    assert (done.code, done.err) == (0, "")
    deep = [f"/{name}{more}" for name in names for more in ("", "/empty", f"/{name}", f"/{name}/{name}")]
    assert sorted(done.out.decode().split("\0")[1:-1]) == sorted(f"/tmp/in{path}" for path in deep)
    done = box("+", "/box/from", "i", "/tmp/in", "--", "find", "/tmp/in", "-type", "f")
    assert done.out == b"", "files are links: nothing is copied"


@each_shell
def test_a_folder_never_goes_into_what_a_link_of_an_earlier_run_leads_to(shell: str, tmp_path: Path) -> None:
    arrive(tmp_path / "from" / "sub", new="1")
    arrive(tmp_path / "old", kept="1")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "sub").symlink_to(tmp_path / "old")
    done = step(shell, "+", f"{tmp_path}/from", "i", f"{tmp_path}/in", "--", "ls", f"{tmp_path}/in/sub")
    assert (done.code, done.out, done.err) == (0, b"new\n", "")
    assert os.listdir(tmp_path / "old") == ["kept"]


@each_shell
def test_a_file_where_a_folder_shall_be_is_said(shell: str, tmp_path: Path) -> None:
    arrive(tmp_path / "from" / "sub", x="1")
    arrive(tmp_path / "in", sub="a file")
    done = step(shell, "+", f"{tmp_path}/from", "i", f"{tmp_path}/in", "--", "echo", "ran")
    assert (done.code, done.out) == (64, b"")
    assert f"cannot write {tmp_path}/in as user" in done.own[0]


@each_shell
def test_a_link_of_an_earlier_run_gives_way(shell: str, tmp_path: Path) -> None:
    arrive(tmp_path / "from", a="new")
    arrive(tmp_path / "old", a="old")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").symlink_to(tmp_path / "old" / "a")
    assert step(shell, "+", f"{tmp_path}/from", "i", f"{tmp_path}/in", "--", "cat", f"{tmp_path}/in/a").out == b"new"


@each_shell
def test_a_folder_of_a_thousand_entries(shell: str, tmp_path: Path) -> None:
    arrive(tmp_path / "from", **{f"n{'x' * 100}{n}": "" for n in range(1050)})
    done = step(shell, "+", f"{tmp_path}/from", "i", f"{tmp_path}/in", "--", "ls", f"{tmp_path}/in")
    assert len(done.out.splitlines()) == 1050


@each_shell
def test_folders_of_thousands_of_files(shell: str, tmp_path: Path) -> None:
    for folder in range(50):
        arrive(tmp_path / "from" / f"{folder}", **{f"n{n}": "" for n in range(120)})
    # Again as an output, by a link to the input.
    words = ("+", f"{tmp_path}/from", "i", f"{tmp_path}/in", "+", f"{tmp_path}/kfp", "o", f"{tmp_path}/out")
    began = monotonic()
    done = step(shell, *words, "--", "ln", "-s", f"{tmp_path}/in", f"{tmp_path}/out/all")
    assert (done.code, done.err) == (0, "")
    assert len(stored(tmp_path / "kfp")) == 6000
    assert monotonic() - began < 30


@each_shell
@each_user
def test_an_empty_folder_vanished_in_transit_and_is_there_again(box: Box, tmp_path: Path) -> None:
    done = box("+", "/kfp/nothing", "i", f"/tmp/{ODD}/in", "--", "ls", "-a", f"/tmp/{ODD}/in")
    assert (done.code, done.out, done.err) == (0, b".\n..\n", "")


@each_shell
def test_a_folder_that_is_where_it_belongs_already_stays_as_it_is(shell: str, tmp_path: Path) -> None:
    arrive(tmp_path / "in", a="1")
    words = ("+", f"{tmp_path}/in", "i", f"{tmp_path}/in", "+", f"{tmp_path}/in/a", "j", f"{tmp_path}/in/a")
    done = step(shell, *words, "--", "cat", f"{tmp_path}/in/a")
    assert (done.code, done.out, done.err) == (0, b"1", "")


@each_shell
def test_a_single_file_that_arrived_for_a_folder_lies_in_it(shell: str, tmp_path: Path) -> None:
    arrive(tmp_path / "s3", file="1")
    assert (
        step(shell, "+", f"{tmp_path}/s3/file", "i", f"{tmp_path}/in", "--", "cat", f"{tmp_path}/in/file").out == b"1"
    )


@each_shell
@each_user
def test_a_file_that_arrived_is_at_its_path(box: Box, tmp_path: Path) -> None:
    arrive(tmp_path / ODD, model="weights")
    path = f"/tmp/{ODD}/deep/model.pkl"
    done = box("+", f"/box/{ODD}/model", "j", path, "--", "cat", path)
    assert (done.code, done.out, done.err) == (0, b"weights", "")


@each_shell
def test_a_file_that_did_not_arrive_is_an_error(shell: str, tmp_path: Path) -> None:
    done = step(shell, "+", f"{tmp_path}/nothing", "j", f"{tmp_path}/in/file", "--", "echo", "ran")
    assert (done.code, done.out, done.own) == (64, b"", [f"input {tmp_path}/in/file: nothing has arrived"])


@each_shell
@pytest.mark.parametrize("letter", "jp")
def test_a_link_never_lands_inside_a_folder_that_is_in_its_place(shell: str, letter: str, tmp_path: Path) -> None:
    arrive(tmp_path / "taken", inside="kept")
    arrive(tmp_path / "from", file="1")
    there, other = f"{tmp_path}/taken", f"{tmp_path}/from/file"
    words = ("+", other, "j", there) if letter == "j" else ("+", there, "p", other)
    done = step(shell, *words, "--", "echo", "ran")
    assert (done.code, done.out) == (64, b"")
    assert f"cannot write {there} as user" in done.own[0]
    assert os.listdir(tmp_path / "taken") == ["inside"]


@each_shell
@each_user
def test_outputs_are_where_the_backend_looks(box: Box, tmp_path: Path) -> None:
    words = ("+", f"/box/{ODD}/folder", "o", f"/tmp/{ODD}/out", "+", f"/box/{ODD}/file", "p", f"/tmp/{ODD}/deep/m.pkl")
    # Within the container, for what the command wrote is gone with it.
    script = 'touch "$1/.x" && echo w >"$2" && ls -A "$3/folder/" && cat "$3/file"'
    done = box(*words, "--", "sh", "-c", script, "sh", f"/tmp/{ODD}/out", f"/tmp/{ODD}/deep/m.pkl", f"/box/{ODD}")
    assert (done.code, done.out, done.err) == (0, b".x\nw\n", "")
    assert os.readlink(tmp_path / ODD / "folder") == f"/tmp/{ODD}/out"
    assert os.readlink(tmp_path / ODD / "file") == f"/tmp/{ODD}/deep/m.pkl"


@each_shell
def test_a_link_that_is_there_already_gives_way(shell: str, tmp_path: Path) -> None:
    arrive(tmp_path / "old", old="")
    (tmp_path / "kfp").symlink_to(tmp_path / "old")
    done = step(shell, "+", f"{tmp_path}/kfp", "o", f"{tmp_path}/out", "--", "touch", f"{tmp_path}/out/new")
    assert (done.code, done.err) == (0, "")
    assert os.listdir(tmp_path / "kfp") == ["new"]
    assert os.listdir(tmp_path / "old") == ["old"]


@each_shell
@pytest.mark.parametrize("letter", "od")
def test_an_output_folder_is_empty_before_the_command(shell: str, letter: str, tmp_path: Path) -> None:
    arrive(tmp_path / "out" / "sub", x="")
    arrive(tmp_path / "elsewhere", kept="")
    for name in (".hidden", "..two", "-f", "a b"):
        (tmp_path / "out" / name).touch()
    (tmp_path / "out" / "link").symlink_to(tmp_path / "elsewhere")
    inode = (tmp_path / "out").stat().st_ino
    register = ("+", f"{tmp_path}/kfp") if letter == "o" else ()
    done = step(
        shell, *register, letter, f"{tmp_path}/out", "--", "sh", "-c", f"ls -A {tmp_path}/out; touch {tmp_path}/out/x"
    )
    assert (done.code, done.out, done.err) == (0, b"", "")
    assert (tmp_path / "out").stat().st_ino == inode, "on a volume it may be a mount"
    assert (tmp_path / "elsewhere" / "kept").exists()


@each_shell
@pytest.mark.parametrize("letter", "pDr")
def test_an_output_file_of_an_earlier_run_is_gone_before_the_command(shell: str, letter: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("stale")
    register = {"p": f"{tmp_path}/kfp", "D": "", "r": f"string\nname\n{tmp_path}/p"}[letter]
    done = step(shell, "+", register, letter, f"{tmp_path}/file", "--", "true")
    assert (done.code, done.own) == (65, [f"the command left no file {tmp_path}/file"])


@each_shell
def test_nothing_is_deleted_where_the_user_keeps_things(shell: str, tmp_path: Path) -> None:
    arrive(tmp_path / "claim", kept="1", file="2")
    words = (
        "+",
        f"{tmp_path}/kfp/o",
        "O",
        f"{tmp_path}/claim",
        "+",
        f"{tmp_path}/kfp/p",
        "P",
        f"{tmp_path}/claim/file",
    )
    done = step(shell, *words, "--", "true")
    assert (done.code, done.err) == (0, "")
    assert (tmp_path / "kfp" / "o" / "kept").read_text() == "1"
    assert (tmp_path / "kfp" / "p").read_text() == "2"
    words = ("+", f"{tmp_path}/kfp/q", "O", f"{tmp_path}/new/o", "+", f"{tmp_path}/kfp/r", "P", f"{tmp_path}/new/p/p")
    done = step(shell, *words, "--", "true")
    assert (done.code, len(done.own)) == (65, 2)
    assert (tmp_path / "new" / "p").is_dir()


def leaves(shell: str, folder: Path, script: str, letter: str = "o", tools: Path | None = None) -> Done:
    """Runs a script in the output folder `out`, which goes to `kfp`."""
    (folder / "out").mkdir(exist_ok=True)
    env = {"PATH": str(tools)} if tools else None
    return step(
        shell,
        *("+", f"{folder}/kfp", letter, f"{folder}/out", "--"),
        *(program("sh"), "-c", f"export PATH=/usr/bin:/bin; cd {folder}/out && {script}"),
        env=env,
    )


@pytest.fixture(params=[True, False], ids=["find", "no find"])
def tools(request: pytest.FixtureRequest, shell: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs that there are in the image."""
    folder = tmp_path_factory.mktemp("tools")
    for name in ("mkdir", "rmdir", "rm", "ln", "ls", "id", "tr", "env", "expr", *(["find"] if request.param else [])):
        (folder / name).symlink_to(program("busybox" if shell == "busybox" else name))
    return folder


@each_shell
def test_a_link_to_a_folder_is_stored_as_that_folder(shell: str, tools: Path, tmp_path: Path) -> None:
    arrive(tmp_path / "data" / "b c" / ODD, x="1", __y="2")
    (tmp_path / "data" / "file").symlink_to("b c/" + ODD + "/x")
    (tmp_path / "data" / "again").symlink_to("b c")
    script = "mkdir real; echo 3 >real/z; ln -s ../../data real/l; ln -s real latest; ln -s ../data/file -- -f; ln -s ../data '\n'"
    done = leaves(shell, tmp_path, script, tools=tools)
    assert (done.code, done.err) == (0, "")
    data = [f"/b c/{ODD}/x 1", f"/b c/{ODD}/.y 2", f"/again/{ODD}/x 1", f"/again/{ODD}/.y 2", "/file 1"]
    inside = [f"/{above}{one}" for above in ("real/l", "latest/l", "\n") for one in data]
    inside += ["/real/z 3\n", "/latest/z 3\n", "/-f 1"]
    assert stored(tmp_path / "kfp") == sorted(f"{tmp_path}/kfp{one}" for one in inside)
    # What the links led to is as it was.
    assert sorted(os.listdir(tmp_path / "data")) == ["again", "b c", "file"]
    assert (tmp_path / "data" / "again").is_symlink()


@each_shell
@each_user
def test_what_arrived_can_be_handed_on_by_a_link(box: Box, tmp_path: Path) -> None:
    arrive(tmp_path / "from" / "sub", x="1")
    words = ("+", "/box/from", "i", "/tmp/in", "+", "/box/kfp/out", "o", "/box/out")
    (tmp_path / "out").mkdir()
    done = box(*words, "--", "ln", "-s", "/tmp/in", "/box/out/all")
    assert (done.code, done.err) == (0, "")
    assert (tmp_path / "out" / "all" / "sub" / "x").is_symlink()


@each_shell
@pytest.mark.parametrize(
    ("script", "named"),
    [
        ("ln -s . l", "l"),
        ("ln -s .. l", "l"),
        ("ln -s / l", "l"),
        ("mkdir -p a/b; ln -s ../../a a/b/l", "a/b/l"),
        ('mkdir a; ln -s "/$PWD" a/l', "a/l"),
        ("mkdir a b; ln -s ../b a/x; ln -s ../a b/y", "a/x/y"),
        ("mkdir ../data; ln -s ../data ../data/me; ln -s ../data l", "l/me"),
    ],
)
def test_a_link_to_a_folder_that_holds_it_is_named(
    shell: str, script: str, named: str, tools: Path, tmp_path: Path
) -> None:
    done = leaves(shell, tmp_path, script, tools=tools)
    message = f"the command left {tmp_path}/out/{named}, a link to a folder that holds it"
    assert (done.code, done.own) == (65, [message])


@each_shell
@pytest.mark.parametrize("letter", "oO")
@pytest.mark.parametrize(
    ("script", "named"),
    [
        ("ln -s /nowhere l", "l"),
        ("ln -s l l", "l"),
        ("mkdir -p 'a b/c'; mkfifo 'a b/c/.f'", "a b/c/.f"),
        ("mkfifo ../fifo; ln -s ../fifo l", "l"),
        ("ln -s /dev/null l", "l"),
        ("python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"s\")'", "s"),
    ],
)
def test_what_kfp_cannot_store_is_named(
    shell: str, letter: str, script: str, named: str, tools: Path, tmp_path: Path
) -> None:
    done = leaves(shell, tmp_path, f"echo 1 >file; {script}", letter, tools)
    message = f"the command left {tmp_path}/out/{named}, which leads nowhere or is neither file nor folder"
    assert (done.code, done.own) == (65, [message])


@each_shell
def test_what_kfp_cannot_store_in_what_a_link_leads_to_is_named(shell: str, tmp_path: Path) -> None:
    arrive(tmp_path / "data" / "deep", x="1")
    os.mkfifo(tmp_path / "data" / "deep" / "fifo")
    done = leaves(shell, tmp_path, "ln -s ../data l")
    assert done.code == 65
    assert f"the command left {tmp_path}/out/l/deep/fifo, which leads nowhere" in done.own[0]


@each_shell
def test_on_the_users_own_volume_a_link_to_a_folder_is_named_and_stays(shell: str, tools: Path, tmp_path: Path) -> None:
    arrive(tmp_path / "out" / "runs" / "1", x="1")
    done = leaves(shell, tmp_path, "ln -s x runs/1/file; ln -s 1 runs/latest", "O", tools)
    message = f"the command left {tmp_path}/out/runs/latest, a link to a folder: KFP cannot store it"
    assert (done.code, done.own) == (65, [message])
    assert os.readlink(tmp_path / "out" / "runs" / "latest") == "1"


@each_shell
def test_on_a_volume_links_stay_links(shell: str, tmp_path: Path) -> None:
    done = step(shell, "d", f"{tmp_path}/out", "--", "sh", "-c", f"cd {tmp_path}/out; ln -s . me; ln -s /nowhere it")
    assert (done.code, done.err) == (0, "")
    assert os.readlink(tmp_path / "out" / "me") == "."


@each_shell
def test_an_output_folder_that_is_a_link_itself_is_followed(shell: str, tmp_path: Path) -> None:
    arrive(tmp_path / "data" / "sub", x="1")
    done = leaves(shell, tmp_path, "cd ..; rmdir out; ln -s data out; ln -s sub out/l")
    assert (done.code, done.err) == (0, "")
    assert stored(tmp_path / "kfp") == [f"{tmp_path}/kfp/l/x 1", f"{tmp_path}/kfp/sub/x 1"]


@each_shell
def test_a_bad_link_fails_the_step_whatever_the_next_output_is(shell: str, tmp_path: Path) -> None:
    words = [word for n in "12" for word in ("+", f"{tmp_path}/k{n}", "o", f"{tmp_path}/o{n}")]
    done = step(shell, *words, "--", "sh", "-c", "ln -s /nowhere $0/o1/l; touch $0/o2/x", str(tmp_path))
    assert (done.code, len(done.own)) == (65, 1)


@each_shell
def test_a_folder_that_cannot_be_entered_is_named(shell: str, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    tmp_path.chmod(0o755)
    (tmp_path / "out").chmod(0o777)
    words = (
        "+",
        "/tmp/kfp",
        "o",
        "/box/out",
        "--",
        "sh",
        "-c",
        "mkdir /box/out/x; chmod 0 /box/out/x; ln -s . /box/out/y",
    )
    done = Box(shell, tmp_path, 1000)(*words)
    (tmp_path / "out" / "x").chmod(0o755)
    assert (done.code, done.own[-1]) == (65, "cannot read /box/out/x")


@each_shell
def test_every_output_that_was_not_written_is_named(shell: str, tmp_path: Path) -> None:
    where = f"{tmp_path}/{ODD}"
    words = (
        "+",
        f"{where}/k1",
        "o",
        f"{where}/o",
        "+",
        f"{where}/k2",
        "p",
        f"{where}/p",
        "d",
        f"{where}/d",
        "D",
        f"{where}/D",
    )
    done = step(shell, *words, "--", "rm", "-r", f"{where}/o")
    assert done.code == 65
    assert done.own == [
        f"the command left no folder {where}/o, or an empty one",
        f"the command left no file {where}/p",
        f"the command left no folder {where}/d, or an empty one",
        f"the command left no file {where}/D",
    ]


@each_shell
@pytest.mark.parametrize(
    ("letter", "make"),
    [
        ("o", "rmdir $0; echo >$0"),
        ("p", "mkdir $0"),
        ("p", "mkfifo $0"),
        ("p", "ln -s /nowhere $0"),
        ("d", "rmdir $0; ln -s /nowhere $0"),
        ("D", "mkdir $0"),
    ],
)
def test_a_folder_is_no_file_and_a_file_no_folder(shell: str, letter: str, make: str, tmp_path: Path) -> None:
    done = step(shell, "+", f"{tmp_path}/kfp", letter, f"{tmp_path}/out", "--", "sh", "-c", make, f"{tmp_path}/out")
    assert (done.code, len(done.own)) == (65, 1)


@each_shell
def test_outputs_of_a_command_that_failed_are_not_asked_for(shell: str, tmp_path: Path) -> None:
    done = step(shell, "+", f"{tmp_path}/kfp", "o", f"{tmp_path}/out", "--", "sh", "-c", "exit 3")
    assert (done.code, done.own) == (3, ["the command exited with code 3"])


@each_shell
@each_user
@pytest.mark.parametrize(
    "words",
    [
        ("n", "/closed/deep/x"),
        ("w", "/closed/x"),
        ("+", "eA==", "f", "/closed/x"),
        ("+", "/box", "i", "/closed/x"),
        ("+", "/box", "j", "/closed/x"),
        ("+", "/box/kfp", "o", "/closed"),
        ("+", "/box/kfp", "o", "/closed/x"),
        ("+", "/box/kfp", "p", "/closed/x/y"),
        ("+", "/closed/x/kfp", "p", "/tmp/y"),
        ("+", "/box/kfp", "O", "/closed/x"),
        ("+", "/box/kfp", "P", "/closed/x/y"),
        ("d", "/closed"),
        ("D", "/closed/x/y"),
        ("+", "string\nn\n/tmp/p", "r", "/closed/x/y"),
        ("+", "metrics\ns3://x\n/tmp/p", "m", "/closed/x/y"),
    ],
    ids=lambda words: " ".join(words[-2:]),
)
def test_where_nothing_can_be_written_the_step_says_what_to_do(box: Box, words: tuple[str, ...], user: int) -> None:
    done = box(*words, "--", "echo", "ran")
    assert (done.code, done.out) == (64, b"")
    (message,) = done.own
    assert message.startswith("cannot write /closed")
    assert f"as user {user}: mount an emptyDir there, or set securityContext.runAsUser" in message


@each_shell
def test_a_closed_output_folder_of_another_user_is_found_before_the_command(shell: str, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir(mode=0o555)
    for letter in "od":
        done = Box(shell, tmp_path, 1000)("+", "/box/kfp", letter, "/box/out", "--", "echo", "ran")
        assert (done.code, done.out) == (64, b"")
        assert "cannot write /box/out as user 1000" in done.err


@each_shell
def test_a_parameter_that_cannot_be_handed_over_is_said(shell: str, tmp_path: Path) -> None:
    words = ("+", "string\nn\n/closed/p/f", "r", "/tmp/out")
    done = Box(shell, tmp_path, 1000)(*words, "--", "sh", "-c", "echo x >/tmp/out")
    assert done.code == 64
    assert "cannot write /closed/p/ as user 1000: mount an emptyDir there" in done.own[0]


@each_shell
@pytest.mark.parametrize(("letter", "tool"), [("f", "base64"), ("m", "awk")])
def test_what_the_image_lacks_is_named_before_the_command(shell: str, letter: str, tool: str, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("mkdir", "rm", "id", "tr", "echo", "env", "expr"):
        (tmp_path / "bin" / name).symlink_to(program(name))
    env = {"PATH": str(tmp_path / "bin")}
    done = step(shell, "+", "eA==\n\n/tmp/x", letter, f"{tmp_path}/f", "--", "echo", "ran", env=env)
    assert (done.code, done.out, done.own) == (64, b"", [f"the image has no {tool}"])


@each_shell
@each_user
def test_folders_and_the_working_folder_are_made(box: Box, tmp_path: Path) -> None:
    done = box(
        "n", f"/tmp/{ODD}/a/b", "n", "/tmp", "w", f"/tmp/{ODD}/w", "--", "sh", "-c", 'pwd; echo "$PWD"; ls -a ../a'
    )
    assert (done.code, done.err) == (0, "")
    assert done.out.decode().splitlines() == [f"/tmp/{ODD}/w"] * 2 + [".", "..", "b"]


@each_shell
def test_files_and_folders_inside_an_output_folder_are_there_for_the_command(shell: str, tmp_path: Path) -> None:
    words = ("+", "eA==", "f", f"{tmp_path}/out/f", "n", f"{tmp_path}/out/sub", "w", f"{tmp_path}/out/here")
    done = step(shell, *words, "d", f"{tmp_path}/out", "--", "ls", f"{tmp_path}/out")
    assert done.out.split() == [b"f", b"here", b"sub"]


@each_shell
def test_messages_are_one_line_each_whatever_the_path(shell: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = step(shell, "n", f"{tmp_path}/file/a\n\x1b[31mb\x7f", "--", "true")
    assert done.code == 64
    assert any(f"{tmp_path}/file/a??[31mb? as user" in line for line in done.own)
