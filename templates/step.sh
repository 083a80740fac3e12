# What a step runs before and after the user's command. Started as
#   sh -c SCRIPT step OP VALUE OP VALUE ... -- COMMAND ARG...
# No text of the user is part of the script: all of it comes as arguments, so nothing needs quoting.
#
# `+` appends its value to a register, `v` appends its own to the front of the next operation's value (both for text
# that has to be cut, since Argo and Kubernetes replace parts of it). `s` appends how the run has ended to the register: a
# word, or KFP's JSON of it (PipelineTaskFinalStatus), whose state is MLMD's. Every other operation uses the register
# and clears both. Paths are absolute.
#   a TEXT  register and TEXT are the next argument of the command, before all that follow `--`
#   e TEXT  register and TEXT are NAME=VALUE in the command's environment, and in pip's
#   n PATH  make the folder                        w PATH  make it and run the command there
#   f PATH  write the register, base64, to PATH    (n, f and w are done again before each attempt)
#   i PATH  folder that arrived at the register    j PATH  file that arrived there
#   o PATH  output folder, left at the register    p PATH  output file, left there
#   O PATH  like o, but nothing there is changed   P PATH  like p, but nothing there is changed
#   d PATH  output folder on a volume              D PATH  output file on a volume
#   q REQ   requirement for pip
#   r PATH  output parameter; register: TYPE, NAME, FILE, a line each
#   m PATH  metrics; register: NAME, URI, KFPPATH, a line each
#   k KEY   the metric KEY goes to the file in the register; comes after m
#   t SPEC  retries: LIMIT BACKOFF FACTOR MAX, in seconds
#   g SPEC  a gate: STEP TIMEOUT ONTIMEOUT ONEXIT ONREJECT WAYS; register: the message (gate.sh; not with t)
#   V NAME  a value that a person may give there; register: nothing, or = and the default
#   J WHO   a notebook: `server` starts Jupyter, the command being its options, `own` starts the command
#   T TEST  a test in front of the gate: TYPE OPERATOR; register: what is compared
#   U -     register: what it is compared with
#   S PORT  sshd; register: the file with the public keys that may enter
# Exit codes: the command's own; 64 the step cannot be set up; 65 the command did not leave what was declared;
# 75 rejected at the gate; 76 ended while somebody was waited for; 143 stopped.
#
# For dash, busybox ash and bash. Never a `$` or an opening brace before its like or before `(`: Kubernetes and Argo
# would replace it. Variables of this script are `_` and one character or `_` and digits: a variable of that name in
# the container's own environment would reach the command changed. The command's own variables never become variables
# of this shell, for shells refuse some names and change others (IFS, UID, RANDOM, a.b): they go through env. So a
# variable of such a name has to come by `e`.
#
# Lines between `#:if LETTERS` and `#:end` go only into steps that use one of these operations; between `#:awk` and `#:sh`
# the spaces around operators go too. (kade2kfp/steps/script.py)
_n='
'
_c= _p= _e= _a= _q= _b= _f= _g= _z= _x=0
#:if g
_V= _H= _C=
#:end
say() {
  # Without tr in the image the text goes out as it is.
  _s=`printf %s "$*" | tr '\000-\037\177' '?' 2>/dev/null || printf %s "$*"`
  printf 'kade2kfp: %s\n' "$_s" >&2
}
die() {
  say "$@"
  exit 64
}
#:if nfijopOPdDwqrmk
deny() {
  die "cannot write $1 as user `id -u`: mount an emptyDir there, or set securityContext.runAsUser"
}
#:end
#:if fmgT
need() {
  command -v "$1" >/dev/null || die "the image has no $1"
}
#:end
#:if nfijopOPdDwrmk
make() {
  mkdir -p "$1" || deny "$1"
}
#:end
#:if fjopOPDrmk
above() {
  make "${1%/*}/"
}
#:end
#:if oOpPdDrm
# What to do before each attempt, and after success.
both() {
  _b="$_b $1$_k" _z="$_z $2$_k"
}
#:end
#:if oOpPdDrmk
bad() {
  say "$@"
  _x=65
  false
}
#:end
#:if jopOP
# The path $2 leads to $1. A real folder at $2 would take the link into it.
lead() {
  [ "$1" = "$2" ] && return
  above "$2"
  [ -d "$2" ] && [ ! -h "$2" ] && ! rmdir "$2" 2>/dev/null && deny "$2"
  ln -sfn "$1" "$2" || deny "$2"
}
#:end
#:if iodO
# Calls $2 with the entries of the folder $1, a hundred at a time: neither one process an entry nor too long a list.
each() {
  _d=$1 _k=$2
  set --
  for _o in "$_d"/* "$_d"/.[!.]* "$_d"/..?*; do
    [ -e "$_o" ] || [ -h "$_o" ] || continue
    set -- "$@" "$_o"
    [ $# -lt 99 ] || { $_k "$@" || return; set --; }
  done
  [ $# = 0 ] || $_k "$@"
}
#:end
#:if io
# Entries of a folder go into the folder $_v: folders as folders, for who walks a tree does not follow links; all else as
# links. A folder has a subshell of its own, so that it cannot change the variables of the one above.
enter() {
  for _o; do
    shift
    if [ -d "$_o" ] && [ ! -h "$_o" ]; then
      (
        _v=$_v/${_o##*/}
        { [ ! -h "$_v" ] || rm "$_v"; } && mkdir -p "$_v" && each "$_o" enter
      ) || return
    else set -- "$@" "$_o"
    fi
  done
  [ $# = 0 ] || ln -sfn "$@" "$_v/"
}
#:end
#:if od
wipe() {
  rm -rf "$@"
}
fresh() {
  make "$1"
  # test -w says yes to root whatever the file system says, in busybox.
  each "$1" wipe && mkdir "$1/.k" && rmdir "$1/.k" || deny "$1"
}
#:end
#:if oOd
filled() {
  [ -d "$1" ] && [ "`ls -A "$1"`" ] || bad "the command left no folder $1, or an empty one"
}
#:end
#:if oO
# KFP takes what is no real folder for a file: a link to a folder fails there, one that leads nowhere ends the upload
# without a word, a fifo never ends (backend/src/v2/objectstore/object_store.go, UploadBlob). So a link to a folder becomes
# a folder, of links to its files; not on a user's own volume. $_y are the folders around the entries, real paths, each
# between // and /: a link to one of them, or to one above, would never end. (bash lets a path begin with //.)
into() {
  cd -P "$1" || bad "cannot read $1" || return
  _r=$PWD/
  _r=//${_r#"${_r%%[!/]*}"}
}
within() {
  for _o; do
    [ -f "$_o" ] && continue
    [ -d "$_o" ] || bad "the command left $_o, which leads nowhere or is neither file nor folder" || return
    (
      into "$_o" || exit
      [ ! -h "$_o" ] || {
        #:end
        #:if O
        [ $_t = o ] || bad "the command left $_o, a link to a folder: KFP cannot store it" || exit
        #:end
        #:if o
        case $_y in *"$_r"*) bad "the command left $_o, a link to a folder that holds it" || exit ;; esac
        _y=$_y$_r _v=$_o
        rm "$_o" && mkdir "$_o" && each "$PWD" enter || deny "$_v"
        _o=$_v
        into "$_o"
        #:end
        #:if oO
      }
      _y=$_y$_r
      each "$_o" within
    ) || return
  done
}
whole() {
  filled "$2" || return
  # Without find in the image, what the shell says of that is not nothing either.
  [ "`find "$2/" ! -type d ! -type f 2>&1`" ] || return 0
  (
    into "$2" || exit
    _t=$1 _y=$_r
    each "$2" within
  ) || _x=65
}
#:end
#:if pDrm
gone() {
  above "$1"
  rm -rf "$1" || deny "$1"
}
#:end
#:if pPDrm
there() {
  [ -f "$1" ] || bad "the command left no file $1"
}
#:end
#:if f
unpack() {
  above "$1"
  printf %s "$2" | base64 -d >"$1" && chmod 755 "$1" || deny "$1"
}
#:end
#:if w
work() {
  make "$1"
  cd "$1" || deny "$1"
}
#:end
#:if rmk
write() {
  above "$1"
  printf %s "$2" >"$1" || deny "$1"
}
#:end
#:if rm
# The three lines of a register.
three() {
  _t=${1%%"$_n"*} _o=${1#*"$_n"}
  _y=${_o%%"$_n"*} _o=${_o#*"$_n"}
}
#:end
#:if r
is() {
  case $1 in
  integer)
    # KFP carries numbers as doubles, so no further than 2^53.
    _k=${2#[-+]}
    case $_k in *[!0-9]*) return 1 ;; esac
    [ "$_k" -le 9007199254740992 ] 2>/dev/null
    ;;
  number)
    _k=${2#[-+]}
    case $_k in *[eE]*)
      _i=${_k#*[eE]}
      case ${_i#[-+]} in '' | *[!0-9]*) return 1 ;; esac
      case $_i in -*) ;; *) [ "${_i#+}" -le 308 ] 2>/dev/null || return 1 ;; esac
      _k=${_k%%[eE]*}
      ;;
    esac
    case $_k in '' | . | *.*.* | *[!0-9.]*) return 1 ;; esac
    ;;
  boolean) case $2 in true | True | TRUE) _d=true ;; false | False | FALSE) _d=false ;; *) return 1 ;; esac ;;
  array) case $2 in '['*) ;; *) return 1 ;; esac ;;
  object) case $2 in '{'*) ;; *) return 1 ;; esac ;;
  esac
}
# KFP: backend/src/v2/component/util.go, TextToPbValue
param() {
  three "$2"
  there "$1" || return
  _i=`wc -c <"$1"` _k=`tr -d '\000' <"$1" | wc -c`
  [ "$_i" = "$_k" ] || bad "output $_y: a zero byte in $1" || return
  _d=`cat "$1"`
  [ $_t = string ] || {
    _d=${_d#"${_d%%[![:space:]]*}"}
    _d=${_d%"${_d##*[![:space:]]}"}
  }
  is $_t "$_d" || bad "output $_y: not of type $_t: `printf %.80s "$_d"`" || return
  # On its way into the next step, where Argo, KFP and Kubernetes look at it again.
  case $_d in *"{""{"* | *'$''$'* | *'$''('*) bad "output $_y: {""{, $""$ or $""( in it would be replaced on its way" || return ;; esac
  write "$_o" "$_d"
}
#:end
#:if mk
# Strict JSON (RFC 8259, and Python's NaN and Infinity) in any awk; under LC_ALL=C, where a character is a byte. Strings
# are cut out at their quotes and all other values become 0; then one container after the other becomes 0, until the
# whole is. Keys are kept as they are written out, in one spelling. (Line ends have become CR: some awks split at LF.)
_W='
#:awk
BEGIN { RS = "\001" }
{ s = $0 }
function hex(t, j, u) {
  for (j = 1; j < 5; j++) u = u * 16 + index("123456789abcdef", tolower(substr(t, j, 1)))
  return u
}
function enc(u, k, f) {
  if (u < 32 || u > 55295 && u < 57344) {
    if (u > 31) l = 1
    return sprintf("\\u%04x", u)
  }
  if (u < 128) return quo(sprintf("%c", u))
  f = 64
  do {
    k = sprintf("%c", 128 + u % 64) k
    u = int(u / 64)
    f /= 2
  } while (u >= f)
  return sprintf("%c", 256 - 2 * f + u) k
}
function quo(t, j, c, k) {
  for (j = 1; (c = substr(t, j, 1)) != ""; j++) k = k (c == "\"" || c == "\\" ? "\\" : "") c
  return k
}
function key(t, j, c, k, u) {
  l = 0
  while (j = index(t, "\\")) {
    k = k substr(t, 1, j - 1)
    c = substr(t, j + 1, 1)
    t = substr(t, j + 2)
    if (c == "u") {
      u = hex(t)
      t = substr(t, 5)
      if (u > 55295 && u < 56320 && t ~ /^\\u[dD][c-fC-F]/) {
        u = u * 1024 + hex(substr(t, 3)) - 56613888
        t = substr(t, 7)
      }
      c = enc(u)
    } else if (u = index("_______btn_fr", c)) c = enc(u)
    else if (c != "/") c = "\\" c
    k = k c
  }
  return k t
}
END {
  H = "[0-9A-Fa-f]"
  C = "[\200-\277]"
  N = "-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][-+]?[0-9]+)?"
  S = "^([^\\\\\001-\037\200-\377]|\\\\([\"\\\\/bfnrt]|u" H H H H ")|[\302-\337]" C "|(\340[\240-\277]|[\341-\354\356\357]" C "|\355[\200-\237]|\360[\220-\277]" C "|[\361-\363]" C C "|\364[\200-\217]" C ")" C ")*$"
  sub(/^\357\273\277/, "", s)
  n = split(s, a, "\"")
  for (j = 1; j <= n; j++) {
    x = o = a[j]
    if (c != "" && sub(/^[ \t\n\r]*:[ \t\n\r]*/, "", x)) {
      k = key(substr(c, 2))
      if (!(k in v)) q[++m] = k
      # A number too large is inf, and 0 in one awk.
      u = (y = match(x, "^" N) && !l ? substr(x, 1, RLENGTH) : "") + 0
      v[k] = u && u !~ /n/ || y !~ /^[^eE]*[1-9]/ || y ~ /[eE]-/ ? y : ""
    }
    d += gsub(/[{[]/, "&", x) - gsub(/[}]|\]/, "&", x)
    gsub(N, "0", o)
    gsub(/true|false|null|NaN|-?Infinity/, "0", o)
    gsub(/[ \t\n\r]/, "", o)
    t = t o
    if (j == n) break
    c = a[++j]
    while (match(c, /\\*$/) && RLENGTH % 2 && j < n) c = c "\"" a[++j]
    if (j == n || c !~ S) t = "x"
    t = t "\""
    c = d == 1 ? "." c : ""
  }
  x = substr(t, 1, 1)
  while (gsub(/\{(":[0"](,":[0"])*)?\}|\[([0"](,[0"])*)?\]/, "0", t)) ;
  if (x t != "{0") {
    print substr(s, 1, 80)
    exit 1
  }
  for (j = 1; j <= m; j++) {
    k = q[j]
    if (v[k] != "") {
      h = h ",\"" k "\":" v[k]
      g = g ", " k
    } else print "kade2kfp: metrics: not a finite number: " substr(k, 1, 80) | "tr \\\\177 \\? >&2"
  }
  h = "{" substr(h, 2) "}"
  k = quo(ENVIRON["_K"])
  if (ENVIRON["_M"] != "")
    print h "\n{\"artifacts\":{\"" quo(ENVIRON["_M"]) "\":{\"artifacts\":[{\"name\":\"\",\"uri\":\"" k "\",\"metadata\":" h "}]}}}"
  else if (v[k] != "") print v[k]
  else {
    print substr(g, 3, 400)
    exit 1
  }
}
#:sh
'
calc() {
  tr '\000\001\012' '\002\002\015' | _M=$1 _K=$2 LC_ALL=C awk "$_W"
}
#:end
#:if m
# KFP: backend/src/v2/component/launcher_v2.go, getExecutorOutputFile; the folder: backend/src/v2/driver, provisionOutputs
metrics() {
  three "$2"
  _j=
  there "$1" || return
  _d=`calc "$_t" "$_y" <"$1"` || bad "metrics: $1 is no JSON object: $_d" || return
  _j=${_d%%"$_n"*}
  write "$_o" "$_j"
  write "${_o%/*}/output_metadata.json" "${_d#*"$_n"}"
}
#:end
#:if k
value() {
  [ "$_j" ] || return
  _d=`printf %s "$_j" | calc "" "$1"` || bad "metrics: $1 is not among the finite numbers: $_d" || return
  write "$2" "$_d"
}
#:end
#:if q
probe() {
  cd / && eval "env $_e \$_y -c \"\$_k\"" 2>/dev/null
}
# Installs all requirements: into the image's own packages where those can be written, else below /tmp. There, what the
# image has already is not installed again (--user), unless this python knows no such folder, as in a venv (--target).
# Not run in the command's folder, whose modules python would take for its own.
pip() {
  _k='import os,pip,site,sysconfig as s;print("" if os.access(s.get_path("purelib"),2) else "--user" if site.ENABLE_USER_SITE else "--target")'
  for _y in python3 python ''; do
    [ "$_y" ] || die "the image has no python with pip"
    _m=`probe` && break
  done
  _u=`mktemp -d` || deny "${TMPDIR-/tmp}"
  _P=$_u/bin:$PATH _Y=$_u${PYTHONPATH:+:$PYTHONPATH}
  case $_m in
  --u*) _e="PATH=\"\$_P\" PYTHONUSERBASE=\"\$_u\"$_e" ;;
  --t*) _e="PATH=\"\$_P\" PYTHONPATH=\"\$_Y\"$_e" _m='--target "$_u"' ;;
  esac
  (
    cd /
    eval "exec env $_e PIP_USER=0 PIP_BREAK_SYSTEM_PACKAGES=1 $_y -m pip install --no-cache-dir --no-input --disable-pip-version-check $_m -- $_q"
  ) >"$_u/.log" 2>&1 3<&- &
  wait $! || {
    cat "$_u/.log" >&2
    die "pip failed, see above"
  }
}
#:end
#:if t
# The wait is kept in thousandths of a second; FACTOR may have a fraction, and is kept below what expr can reckon with.
_l=0
retry() {
  _l=$1 _r=${2%%.*}000 _t=${4%%.*}000 _h=000
  case $3 in *.*) _h=${3#*.}000 ;; esac
  _h=${3%%.*}`printf %.3s "$_h"`
  case $_h in ????????*) _h=9999999 ;; esac
}
again() {
  [ "$_l" -gt 0 ] || exit "$_x"
  [ "$_r" -le "$_t" ] || _r=$_t
  _i=`expr \( "$_r" + 500 \) / 1000`
  say "trying again in $_i s, attempts left: $_l"
  _l=`expr "$_l" - 1`
  _r=`expr "$_r" \* "$_h" / 1000`
  sleep "$_i" 3<&- &
  wait $!
}
#:end
#:include gate.sh
# A command in the background has its stdin from nowhere and SIGINT switched off (POSIX), hence 3 and TERM for all.
# TERM goes to whatever was started last: the command, pip or the wait for the next attempt.
exec 3<&0
trap 'kill $! 2>/dev/null; wait $! 2>/dev/null; exit 143' TERM INT HUP
while [ "${1-}" != -- ]; do
  [ $# -gt 1 ] || die "no command was given"
  _v=$_p$2
  # What the operation has is kept for later, named by the number of arguments left, which no other operation has.
  eval "_$#=\$_v _0$#=\$_c"
  _k=" \"\$_$#\" \"\$_0$#\";" _i=" \"\$_0$#\$_$#\""
  case $1 in
  #:if +
  +) _c=$_c$2; shift 2; continue ;;
  #:end
  #:if v
  v) _p=$_v; shift 2; continue ;;
  #:end
  #:if s
  s)
    case $2 in
    *'"COMPLETE"'*) _c=${_c}succeeded ;;
    *'"FAILED"'*) _c=${_c}failed ;;
    '{'*) _c=${_c}unknown ;;
    *) _c=$_c$2 ;;
    esac
    shift 2
    continue
    ;;
  #:end
  #:if a
  a) _a=$_a$_i ;;
  #:end
  #:if e
  e) _e=$_e$_i ;;
  #:end
  #:if q
  q) _q=$_q$_i ;;
  #:end
  #:if n
  n) _f="$_f make$_k" ;;
  #:end
  #:if f
  f) need base64; _f="$_f unpack$_k" ;;
  #:end
  #:if w
  w) _g=work$_k ;;
  #:end
  #:if i
  i)
    make "$_v"
    if [ -d "$_c" ]; then [ "$_c" = "$_v" ] || each "$_c" enter
    elif [ -e "$_c" ]; then enter "$_c"
    fi || deny "$_v"
    ;;
  #:end
  #:if j
  j)
    [ -e "$_c" ] || die "input $_v: nothing has arrived"
    lead "$_c" "$_v"
    ;;
  #:end
  #:if o
  o) lead "$_v" "$_c"; both fresh "whole o" ;;
  #:end
  #:if p
  p) lead "$_v" "$_c"; both gone there ;;
  #:end
  #:if O
  O) lead "$_v" "$_c"; both make "whole O" ;;
  #:end
  #:if P
  P) lead "$_v" "$_c"; both above there ;;
  #:end
  #:if d
  d) both fresh filled ;;
  #:end
  #:if D
  D) both gone there ;;
  #:end
  #:if r
  r) both gone param ;;
  #:end
  #:if m
  m)
    need awk
    both gone metrics
    ;;
  #:end
  #:if k
  k) _z="$_z value$_k" ;;
  #:end
  #:if t
  t) retry $_v ;;
  #:end
  #:if g
  g)
    # A wait that ends at once would keep a processor busy.
    need sleep
    _Q=$_c
    mounted
    trap stop TERM INT HUP
    about $_v
    ;;
  #:end
  #:if V
  V) _V="$_V given$_k" ;;
  #:end
  #:if J
  J) _J=$_v ;;
  #:end
  #:if S
  S) _E=$_v _F=$_c ;;
  #:end
  #:if T
  T)
    need awk
    _E=$_c _F=$_v
    ;;
  U) _J=$_c ;;
  #:end
  *) die "unknown operation $1" ;;
  esac
  _c= _p=
  shift 2
done
shift
eval "set -- $_a \"\$@\""
#:unless g
[ $# -gt 0 ] || die "no command was given"
#:end
#:if q
pip
#:end
#:if J
mounted
token
[ $_J = own ] || {
  _k=`PATH=${_P-$PATH}; command -v jupyter-lab || command -v jupyter-notebook` || die "the image has no jupyter-lab and no jupyter-notebook: take one that has, or add jupyterlab to packagesToInstall"
  set -- "$_k" "$@"
}
#:end
#:if eq
# env would take a command with = in its name for a variable.
case ${1-} in *=*) set -- sh -c 'exec "$@"' sh "$@" ;; esac
[ $# = 0 ] || eval "set -- env $_e \"\$@\""
#:end
#:if g
eval "$_b$_f$_g"
gate "$@"
#:end
#:unless g
while :; do
  eval "$_b$_f$_g"
  # By exec, for otherwise a builtin or a function of this script could be taken for the command.
  (exec "$@") <&3 3<&- &
  wait $! 2>/dev/null
  _x=$?
  [ $_x = 0 ] && break
  _i="exited with code $_x"
  [ $_x -gt 128 ] && [ $_x -lt 193 ] && _i="was killed by signal `expr $_x - 128`"
  say "the command $_i"
  #:end
  #:if t
  again
  continue
  #:end
  #:unless g
  exit $_x
done
#:end
eval "$_z"
#:if g
[ $_G = resume ] || zeros
#:end
exit $_x
