# The supervisor of a step that waits for a person; a part of step.sh, which includes it (its header holds here too).
# It starts the command, looks each second for a decision, and ends all that runs in the container before what was left is
# handed on. A decision is one line, `resume UID` or `reject UID`, for the pod of that uid: a run that is retried keeps its id
# and its pods' names. Folders, each with `decision`, `by`, `reason` and `value-NAME`, in the order in which they are
# looked at:
#   /kade/gate/STEP.   the run's ConfigMap
#   /kade/shared/      a folder of this run on a volume
#   /kade/run/         in memory, of this pod alone; state, message, token, shell and out/ are written here
#:if gJ
# At its end a gate ends all other processes that it may: never on a machine that is no container of ours.
mounted() {
  [ -d /kade/run ] || die "/kade/run is not mounted"
}
#:end
#:if g
about() {
  _A=$1 _T=$2 _O=$3 _X=$4 _R=$5 _N=
  case $6 in *c*) _N=/kade/gate/$1. ;; esac
  case $6 in *s*) _N="$_N /kade/shared/" ;; esac
  case $6 in *l*) _N="$_N /kade/run/" ;; esac
}
# On a full disk not at once, but told: the file's own page is free again when it is written anew.
put() {
  printf '%s\n' "$2" >/kade/run/.new && mv -f /kade/run/.new "/kade/run/$1" || {
    rm -f /kade/run/.new
    printf '%s\n' "$2" >"/kade/run/$1"
  }
} 2>/dev/null
now() {
  read -r _I _k </proc/uptime
  _I=${_I%.*}
}
# A link that others left on a volume could lead to a file of this pod alone. (Those of a ConfigMap are kubelet's.)
usable() {
  [ -f "$1" ] && case $1 in /kade/gate/*) ;; *) [ ! -h "$1" ] ;; esac
}
# The first bytes of a file, without those that a variable cannot hold.
head_of() {
  usable "$1" && dd bs=300 count=1 <"$1" 2>/dev/null | tr -d '\000'
}
line_of() {
  _y=`head_of "$1"`
  _y=${_y%%"$_n"*}
  # It becomes an output: see param.
  case $_y in *"{""{"* | *'$''$'* | *'$''('*) _y= ;; esac
}
# This shell and those above it: not of the user's.
above_us() {
  _Z= _k=self
  while [ "$_k" != 0 ] && read -r _y <"/proc/$_k/stat"; do
    _Z="$_Z ${_y%% *}"
    _y=${_y##*) }
    _y=${_y#* }
    _k=${_y%% *}
  done
} 2>/dev/null
# Signals all other processes of the container; false where there is none.
others() {
  _t=1
  for _o in /proc/[0-9]*; do
    _o=${_o#/proc/}
    case " $_Z " in *" $_o "*) continue ;; esac
    read -r _y <"/proc/$_o/stat" || continue
    case ${_y##*) } in Z*) continue ;; esac
    _t=0
    [ "$1" = 0 ] || kill -"$1" "$_o"
  done
  return $_t
} 2>/dev/null
# Nothing may hold our output open, for KFP's launcher waits until nobody does, nor write into what is being stored.
halt() {
  above_us
  # What is stopped would hear of it only when it goes on.
  others TERM && others CONT
  now
  _D=`expr "$_I" + 10`
  while others 0 && now && [ "$_I" -lt "$_D" ]; do
    sleep .1 2>/dev/null || sleep 1
  done
  # More than once, for it may be starting others. What waits for a disk, or belongs to another user, may stay.
  for _k in 1 2 3 4 5; do
    others KILL || break
    sleep .1 2>/dev/null || sleep 1
  done
  # Reaped, without a word about how it ended.
  others 0 || [ -z "$_C" ] || wait "$_C" 2>/dev/null
}
# What was rejected may lack anything, or hold what it should not; nobody needs to hear of that. But KFP fails a step that
# leaves an output parameter out. (Of what `zeros` does again, `param` and `value` do all.)
bad() {
  [ $_G = resume ] || return
  say "$@"
  _x=65
  false
}
zeros() {
  _x=0
  param() {
    three "$2"
    case $_t in string) _d= ;; boolean) _d=false ;; array) _d='[]' ;; object) _d='{''}' ;; *) _d=0 ;; esac
    [ -f "$_o" ] || write "$_o" "$_d"
  }
  value() {
    [ -f "$2" ] || write "$2" 0
  }
  metrics() { :; }
  whole() { :; }
  filled() { :; }
  there() { :; }
  eval "$_z"
}
# On TERM, at any moment. KFP's stop leaves no more than 0.75 s, so the state comes first.
stop() {
  trap '' TERM INT HUP
  put state terminated
  halt
  exit 143
}
end() {
  put state failed
  halt
  exit "$1"
}
given() {
  _k=/kade/run/out/value-$1
  # Of an earlier decision, which lacked another value.
  [ ! -e "$_k" ] || rm -f "$_k"
  if usable "${_B}value-$1"; then set -- "$1" cat "${_B}value-$1"
  elif [ "$2" ]; then set -- "$1" printf %s "${2#=}"
  else
    [ $_G = reject ] || _i="the decision lacks the value $1"
    return
  fi
  shift
  { "$@" >"$_k"; } 2>/dev/null || {
    rm -f "$_k"
    _i="cannot keep the value ${_k#*/value-}: is /kade/run full?"
  }
}
# What is not right may be half-written, so it is said only when it is there at two looks.
decided() {
  _r=
  for _B in $_N; do
    usable "${_B}decision" || continue
    _d=`head_of "${_B}decision"`
    _i="a decision that is not whole, or not for this pod, is ignored"
    case $_d in "resume $KFP_POD_UID" | "reject $KFP_POD_UID")
      _G=${_d%% *} _i=
      [ $_G$_R = rejectfail ] || eval "$_V"
      [ "$_i" ] || return 0
      ;;
    esac
    [ "$_r" ] || _r=$_i
  done
  [ -z "$_r" ] || [ "$_r" != "$_U" ] || [ "$_r" = "$_L" ] || {
    say "$_r"
    _L=$_r
  }
  _U=$_r
  return 1
}
#:end
#:if J
# Jupyter cannot save a notebook where it cannot write into its user's home (nbformat/sign.py): then it gets another folder.
token() {
  # An image's own would win over the file.
  unset JUPYTER_TOKEN
  # Asked by doing it: some shells believe that root can always write.
  _t=`mktemp -d "${HOME:-/}/.XXXXXX" 2>/dev/null` && rmdir "$_t" || {
    _t=`mktemp -d` && _e=" JUPYTER_DATA_DIR=\"\$_t\" JUPYTER_CONFIG_DIR=\"\$_t/config\"$_e"
  }
  (
    umask 077
    mkdir -p /kade/run/jupyter && od -An -N24 -tx1 /dev/urandom | tr -d ' \n' >/kade/run/token
  ) || deny /kade/run
}
#:end
#:if S
# sshd as the container's own user: as root it would need to change its root folder, which no step may.
serve() {
  _r=`command -v sshd || command -v /usr/sbin/sshd` || {
    put shell "exec the image has no sshd"
    return
  }
  [ "`id -u`" != 0 ] || {
    put shell "exec sshd cannot serve as root, which has no capabilities in a step; set securityContext.runAsUser"
    return
  }
  _o=`id -un 2>/dev/null` || {
    put shell "exec the image has no name for user `id -u`, and sshd needs one"
    return
  }
  (
    umask 077
    mkdir -p /kade/run/ssh && ssh-keygen -q -t ed25519 -N '' -C '' -f /kade/run/ssh/key </dev/null
  ) >/dev/null 2>&1 || {
    put shell "exec ssh-keygen cannot make a key in the image"
    return
  }
  # The session gets the step's variables, but for those that would need quotes.
  _y=`eval "env $_e env" | while IFS= read -r _k; do
    case $_k in
    [!A-Za-z_]* | *[!A-Za-z0-9_./:,@%+=-]*) ;;
    *=*) printf ' %s' "$_k" ;;
    esac
  done`
  (
    umask 077
    cat >/kade/run/ssh/config <<.
Port $_E
ListenAddress 127.0.0.1
HostKey /kade/run/ssh/key
AuthorizedKeysFile $_F
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PrintMotd no
Subsystem sftp internal-sftp
SetEnv$_y
.
  ) || deny /kade/run
  "$_r" -D -e -f /kade/run/ssh/config </dev/null 3<&- &
  put shell "ssh $_o $_E"
}
#:end
#:if T
# Numbers as doubles, as KFP compares them.
holds() {
  case $_F in
  number*) _K=$_E _M=$_J awk "BEGIN { exit !(ENVIRON[\"_K\"] + 0 ${_F#* } ENVIRON[\"_M\"] + 0) }" ;;
  *==) [ "$_E" = "$_J" ] ;;
  *) [ "$_E" != "$_J" ] ;;
  esac
}
#:end
#:if g
# Returns where the pipeline goes on.
gate() {
  [ "${KFP_POD_UID-}" ] || die "KFP_POD_UID is not set, so no decision could name this pod"
  _U= _L=
  mkdir -p /kade/run/out || deny /kade/run/out
  # So that they have their place, whatever fills /kade/run later.
  { printf - >/kade/run/out/decision && printf - >/kade/run/out/by; } 2>/dev/null || die "/kade/run is full"
  #:end
  #:if T
  holds || {
    say "the test does not hold, so nobody is asked"
    put state reject
    _G=reject
    printf %s reject >/kade/run/out/decision
    printf %s test >/kade/run/out/by
    return
  }
  #:end
  #:if g
  # Before it is open: bash loses a SIGINT that comes while it waits for a program in the foreground.
  now
  _D=`expr "$_I" + "$_T"`
  put message "$_Q"
  put state open
  say "waiting for a person${_Q:+: $_Q}"
  [ $# = 0 ] || {
    # By exec, see below.
    (exec "$@") <&3 3<&- &
    _C=$!
  }
  #:end
  #:if S
  serve
  #:end
  #:if g
  until decided; do
    if [ "$_C" ] && [ ! -d "/proc/$_C" ]; then
      wait "$_C" 2>/dev/null
      _x=$? _C=
      say "the command ended by itself with code $_x"
      case $_x:$_X in
      64:*) end 64 ;;
      0:advance)
        _G=resume _H=exit
        break
        ;;
      0:fail) end 76 ;;
      *:advance | *:fail) end "$_x" ;;
      esac
    fi
    now
    [ "$_T" = 0 ] || [ "$_I" -lt "$_D" ] || {
      say "nobody decided in $_T s"
      _G=$_O _H=timeout
      break
    }
    sleep 1 3<&- &
    wait $!
  done
  if [ "$_H" ]; then
    _B=/kade/run/none/ _i=
    eval "$_V"
    [ -z "$_i" ] || say "$_i"
  fi
  # Read before the command could notice the state and write something else there.
  line_of "${_B}by"
  [ "$_H" ] || {
    _H=${_y:-unknown}
    case $_B in */gate/*) ;; *) _H="$_H (unverified)" ;; esac
  }
  line_of "${_B}reason"
  _S=$_y
  case $_H in exit) put state exited ;; *) put state "$_G" ;; esac
  halt
  printf %s "$_G" >/kade/run/out/decision
  printf %s "$_H" >/kade/run/out/by
  case $_G in
  resume) say "resumed by $_H" ;;
  *)
    say "rejected by $_H${_S:+: $_S}"
    [ "$_R" = route ] || exit 75
    ;;
  esac
  _x=0
}
#:end
