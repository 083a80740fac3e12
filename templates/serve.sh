# Serves a version of a serving: sh -c SCRIPT serve FOLDER. HOST, PORT and KADE2KFP_VERSION say where and which.
# Its Bento is FOLDER/VERSION/bento; its packages are in the container, or in FOLDER/VERSION/environment. The folder is
# only read: BentoML writes to a BENTOML_HOME of its own.
# One process answers, with the time limit of 60 s that BentoML has, unless service.py says otherwise
# (@bentoml.service(workers=..., traffic={"timeout": ...})): each worker loads the model once more.
# For dash and busybox. Argo and Kubernetes substitute in this text: no doubled brace, no doubled dollar, no dollar
# before a bracket. Variables are `_` and a letter: others may be the container's own, and would reach the server changed.
die() {
  printf 'kade2kfp: %s\n' "$1" >&2
  exit 64
}
[ "${KADE2KFP_VERSION:-}" ] || die "KADE2KFP_VERSION says no version"
_v=$1/$KADE2KFP_VERSION
[ -d "$_v/bento" ] || die "there is no version $KADE2KFP_VERSION in $1"
_p=python3
if [ -d "$_v/environment" ]; then
  # By its own place: that is in its programs.
  _e=`cd -P "$_v/environment" && pwd` || die "$_v/environment cannot be entered"
  PATH=$_e/bin:$PATH
  _p=$_e/bin/python3
  "$_p" -c '' || die "$_e was made with another Python than that of the image: run the pipeline again"
elif [ -h "$_v/environment" ]; then
  die "the packages of the version $KADE2KFP_VERSION are gone: run the pipeline again"
fi
_h=`mktemp -d` || die "no folder can be made in ${TMPDIR:-/tmp}: mount an emptyDir there"
if ! [ -w "${HOME:-/}" ] || [ "${HOME:-/}" = / ]; then
  export HOME="$_h"
fi
# Libraries count the processors of the node, not those that the container may use.
if [ -z "${OMP_NUM_THREADS:-}" ] && [ -r /sys/fs/cgroup/cpu.max ]; then
  read -r _q _t </sys/fs/cgroup/cpu.max
  if [ "$_q" != max ]; then
    OMP_NUM_THREADS=`expr \( "$_q" + "$_t" - 1 \) / "$_t"`
    export OMP_NUM_THREADS
  fi
fi
export BENTOML_HOME="$_h" BENTOML_DO_NOT_TRACK=True PATH
# Not among the user's files: `-m` looks there first.
cd "$_h" || exit 64
# A worker that cannot load its model would be started again for ever (circus, BentoML's process manager): so the first
# one that fails ends the server, of which this shell becomes the process. Once one has begun, the log just passes.
mkfifo log || exit 64
read -r _i _r </proc/self/stat
_m=
{
  while IFS= read -r _l; do
    printf '%s\n' "$_l"
    case $_l in
    *"] Service "*" initialized") exec cat ;;
    *"Application startup failed. Exiting."*)
      echo "kade2kfp: the service cannot be started: $_m"
      kill "$_i"
      exec cat >/dev/null
      ;;
    ?*) _m=$_l ;;
    esac
  done
} <log &
export PYTHONUNBUFFERED=1
exec "$_p" -m bentoml serve "$_v/bento" --host "${HOST:-0.0.0.0}" --port "${PORT:-3000}" >log 2>&1
