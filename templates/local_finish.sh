# The last part of a step that runs on this machine, in the step's own box: what is left at the document's paths must
# be fit to be moved away from outside. KFP's launcher does as much when it uploads (follows links).
#
# sh -c THIS finish PLACE... -- COMMAND...
# Each PLACE is where an artifact must be left; step.sh makes it a link to the document's path. Links in that are
# replaced by what they lead to. A place whose own path goes through a link, or which begins with `+`, becomes a copy.
# For dash, busybox ash and bash.
places=
while [ "$1" != -- ]; do
  places="$places $1"
  shift
done
shift
child=
trap 'kill -TERM $child 2>/dev/null; wait $child; exit 143' TERM INT HUP
exec 3<&0
"$@" <&3 3<&- &
child=$!
wait $child
code=$?
[ $code = 0 ] || exit $code
die() {
  printf 'kade2kfp: cannot keep %s\n' "$1" >&2
  exit 65
}
for place in $places; do
  copy=
  case $place in +*) copy=1 place=${place#+} ;; esac
  [ -h "$place" ] || continue
  path=`readlink "$place"`
  [ -e "$path" ] || continue
  folder=`cd "${path%/*}/" && pwd -P` || die "$path"
  [ "${folder%/}" = "${path%/*}" ] && [ ! -h "$path" ] || copy=1
  if [ "$copy" ]; then
    rm -rf "$place.new" && cp -RL "$path" "$place.new" && rm "$place" && mv "$place.new" "$place" || die "$path"
    continue
  fi
  [ -d "$path" ] || continue
  find "$path/" -type l -exec sh -c '
    for link do
      cp -L "$link" "$link.kade2kfp" && mv -f "$link.kade2kfp" "$link" || exit 1
    done' sh {} + || die "$path"
done
exit 0
