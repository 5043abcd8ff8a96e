# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# shellcheck disable=SC1091,SC2046,SC2086 # lists of packages and commands are words to split
#
# Sourced by every script in scripts/: a clean environment, where things are, the Debian packages
# that a script needs, and the way into Python. Plain sh: a bare Debian has nothing else.
#
#     . "$(/usr/bin/dirname "$(/usr/bin/realpath "$0")")/lib/setup.sh"
#     show_help "$@"
#     need_packages base source
#     run_python source.fetch "$@"

# What Debian's packages install, not what a pyenv or a conda puts in front of it.
PATH=/usr/sbin:/usr/bin:/sbin:/bin

# What is opened must not take the place of a standard stream that the caller has closed.
true 9>&2 || exec 2>/dev/null
{ true 9<&0; } 2>/dev/null || exec </dev/null
{ true 9>&1; } 2>/dev/null || exec >/dev/null

die() {
    echo "${0##*/}: $*" >&2
    exit 1
}

# What would be a traceback of whatever looks there first.
{ [ -x . ] && /bin/pwd -P >/dev/null 2>&1; } ||
    die "the current folder is gone, or $(id -un) may not enter it: cd to another one"
[ ! -d /dev/stdin ] || die "standard input can't be read, as it is a folder: use </dev/null"

# Of the caller's variables only these: too many others change what programs do. So the script
# starts again, as the same process.
dseg_kept='(DSEG|CCACHE)_[A-Z_]+|CC|HOME|USER|LOGNAME|TERM|COLUMNS|LINES|TZ|TMPDIR|XDG_CACHE_HOME'
dseg_kept="$dseg_kept|XDG_RUNTIME_DIR|SLURM_CONF|DISPLAY|WAYLAND_DISPLAY|XAUTHORITY"
dseg_kept="$dseg_kept|(https?|ftp|no|all)_proxy|(HTTPS?|FTP|NO|ALL)_PROXY"
if [ "${DSEG_CLEAN-}" != $$ ]; then
    set -- DSEG_CLEAN=$$ /bin/sh "$0" "$@"
    unset IFS
    for dseg_name in $(env | LC_ALL=C sed -En "s/^($dseg_kept)=.*/\1/p"); do
        eval "set -- \"\$dseg_name=\${$dseg_name-}\" \"\$@\""
    done
    exec env -i PATH="$PATH" LC_ALL=C.UTF-8 PYTHONSAFEPATH=1 PYTHONNOUSERSITE=1 "$@"
fi
umask 022

# By a link to the script, too; the rest of its name keeps a newline that may be before it.
DSEG_ROOT=$(realpath "$0")
DSEG_ROOT=${DSEG_ROOT%/scripts/*}
DSEG_OUT=${DSEG_OUT:-$DSEG_ROOT/out}
case $DSEG_OUT in
/*) ;;
*) DSEG_OUT=$PWD/$DSEG_OUT ;;
esac
PYTHONPATH=$DSEG_ROOT/scripts
export DSEG_ROOT DSEG_OUT PYTHONPATH

# For -h or --help, shows the comment at the top of the script (from its line 4) and ends.
show_help() {
    for dseg_word; do
        case $dseg_word in
        --) return ;;
        -h | --help)
            sed -n '1,3d; /^#/!q; s/^# \{0,1\}//p' "$0"
            exit 0
            ;;
        esac
    done
}

# run_python ROOM.NAME ARG...: becomes the Python program scripts/dseg/ROOM/NAME.py.
run_python() {
    dseg_name=$1
    shift
    exec /usr/bin/python3 -m "dseg.$dseg_name" "$@"
}

# check_options ROOM.NAME ARG...: ends if that program can't be run with these, for a script that has
# much to do before.
check_options() {
    /usr/bin/python3 -m dseg.base.options "${0##*/}" "$@" || exit
}

# has_option OPTION ARG...: whether it is among them, with its value in the same word or not.
has_option() {
    dseg_option=$1
    shift
    for dseg_word; do
        case $dseg_word in
        --) return 1 ;;
        "$dseg_option" | "$dseg_option"=*) return 0 ;;
        esac
    done
    return 1
}

# run_step NAME ARG...: runs another script, which ends when this one does, whatever ends it;
# the shell between them is for an end before the kernel knows of that.
run_step() {
    dseg_name=$1
    shift
    # shellcheck disable=SC2016 # the inner shell's
    setpriv --pdeathsig TERM sh -c '[ "$PPID" = "$0" ] && exec "$@"' "$$" \
        "$DSEG_ROOT/scripts/$dseg_name" "$@" ||
        die "scripts/$dseg_name failed; correct that and start again"
}

# Ends where it would come out later that the machine or the folder will not do.
check_machine() {
    dseg_machine=$(uname -m)
    [ "$dseg_machine" = x86_64 ] ||
        die "this machine is $dseg_machine; the guests have Debian's kernel for amd64:" \
            "use a machine with x86_64"
    # Also where links lead to, which is what QEMU's configure sees; a newline as ls shows it.
    for dseg_path in "$(printf '%s' "$DSEG_ROOT" | tr '\n' '?')" \
        "$(printf '%s' "$DSEG_OUT" | tr '\n' '?')" \
        "$(realpath -mz -- "$DSEG_OUT" | tr '\n\0' '?\n')"; do
        # What QEMU's configure, make, and the options of QEMU take for something else.
        case $dseg_path in
        *[[:space:]:,\;\'\"\\\$\`\&\#%\*\?\[\]\(\)\<\>\|\!]*)
            die "QEMU can't be built in '$dseg_path':" \
                "use a folder whose path has letters, digits, / . _ + - only"
            ;;
        esac
    done
    [ -z "${DSEG_QEMU-}" ] || { [ -f "$DSEG_QEMU" ] && [ -x "$DSEG_QEMU" ]; } ||
        die "DSEG_QEMU is '$DSEG_QEMU', which is no program:" \
            "name a QEMU by it, or unset it to have one built"
}

# need_writable FOLDER: ends if this user can neither write there nor make it.
need_writable() {
    dseg_path=$1
    while [ ! -e "$dseg_path" ] && [ "$dseg_path" != / ]; do
        dseg_path=$(dirname "$dseg_path")
    done
    { [ -d "$dseg_path" ] && [ -w "$dseg_path" ] && [ -x "$dseg_path" ]; } ||
        die "$(id -un) can't write to $dseg_path (of $(stat -c %U "$dseg_path")):" \
            "use a copy of the project of your own, or set DSEG_OUT to a folder of your own"
}

# need_own_folder FOLDER: ends if it has files of others, as what is built replaces what is there.
# Ours has locks.
need_own_folder() {
    [ "$1" = "$DSEG_ROOT/out" ] || [ -d "$1/lock" ] || [ -z "$(ls -A "$1" 2>/dev/null)" ] ||
        die "$1 has files that are not of this project:" \
            "set DSEG_OUT to a new folder, or to an empty one"
}

# need_packages GROUP...: installs what is missing of the groups in lib/packages, or says
# how to and ends. DSEG_SKIP_PACKAGES=1 trusts that all is there (not Debian, say).
need_packages() {
    check_machine
    case $* in
    base | 'base chart') ;;
    *)                                  # all others make something there
        need_writable "$DSEG_OUT"
        need_own_folder "$DSEG_OUT"
        ;;
    esac
    [ -z "${DSEG_SKIP_PACKAGES-}" ] || return 0
    dseg_wanted=$(packages_of "$@") || exit
    if ! command -v dpkg-query >/dev/null; then
        die "this is no Debian: install the like of these packages, set DSEG_SKIP_PACKAGES=1" \
            "and try again:" $dseg_wanted
    fi
    dseg_missing=$(missing_of $dseg_wanted | sort -u)
    [ -n "$dseg_missing" ] || return 0
    install_packages $dseg_missing
}

# The packages of the groups named, as "name" or "name>=version".
packages_of() {
    for dseg_group; do
        grep -q "^$dseg_group " "$DSEG_ROOT/scripts/lib/packages" ||
            die "lib/packages has no group '$dseg_group'"
        sed -n "s/^$dseg_group  *//p" "$DSEG_ROOT/scripts/lib/packages"
    done
}

# Those of the packages named that are not installed, or too old.
missing_of() {
    dseg_installed=$(installed_packages $(names_of "$@"))
    for dseg_package; do
        dseg_have=${dseg_installed#*"|${dseg_package%%>=*}="}
        [ "$dseg_have" != "$dseg_installed" ] || dseg_have=
        is_new_enough "${dseg_have%%|*}" "$dseg_package" || echo "$dseg_package"
    done
}

# Those of the names that are installed, as "|name=version|", then those that an installed package
# provides: Debian 13 has libelf1t64 for libelf1. What is provided without a version has 0.
installed_packages() {
    dpkg-query -W -f '${db:Status-Status}, ${Package} (= ${Version}), ${Provides}\n' |
        awk -F ', *' -v wanted=" $* " '
            $1 != "installed" { next }
            {
                for (i = 2; i <= NF && $i != ""; i++) {
                    split($i, word, /[ (=)]+/)
                    sub(/:.*/, "", word[1])
                    if (!index(wanted, " " word[1] " "))
                        continue
                    line = "|" word[1] "=" (word[2] == "" ? 0 : word[2]) "|"
                    if (i == 2)
                        print line
                    else
                        provided = provided line "\n"
                }
            }
            END { printf "%s", provided }'
}

names_of() {
    for dseg_package; do
        echo "${dseg_package%%>=*}"
    done
}

# is_new_enough VERSION PACKAGE: false also when VERSION is empty.
is_new_enough() {
    [ -n "$1" ] || return 1
    case $2 in
    *'>='*) dpkg --compare-versions "$1" ge "${2#*>=}" ;;
    esac
}

# The system's own apt first, for every package that it has, even if it is too old yet, so
# that whatever it depends on is there; then backports, for what is too old.
install_packages() {
    dseg_install="$(install_command apt-get $(names_of "$@"))"
    if ! can_be_root; then
        say_how "apt-get update" "$dseg_install" "$(backports_commands $(too_old_of "$@"))"
    fi
    echo "${0##*/}: installing Debian packages:" $(names_of "$@") >&2
    has_lists || as_root apt-get update || :
    # Lists that are too old name files that the mirror has no more: once more with new ones.
    as_root $dseg_install || { as_root apt-get update && as_root $dseg_install; } ||
        say_how "apt-get update" "$dseg_install"

    dseg_commands=$(backports_commands $(missing_of "$@")) || exit
    [ -n "$dseg_commands" ] || return 0
    printf '%s\n' "$dseg_commands" | while read -r dseg_command; do
        as_root $dseg_command || exit
    done || say_how "$dseg_commands"
}

install_command() { # APT PACKAGE...
    dseg_apt=$1
    shift
    echo "$dseg_apt install -y --no-install-recommends" "$@"
}

# The commands, one a line, that install packages from the backports of the machine's Debian.
backports_commands() {
    [ "$#" -gt 0 ] || return 0
    dseg_dir=$DSEG_OUT/apt/tools
    dseg_suite=$(. /etc/os-release && echo "${VERSION_CODENAME-}")-backports
    "$DSEG_ROOT/scripts/lib/private-apt" "$dseg_dir" deb "$dseg_suite" || return
    echo "apt-get -c $dseg_dir/apt.conf update"
    install_command "apt-get -c $dseg_dir/apt.conf" $(names_of "$@" | sed "s,\$,/$dseg_suite,")
}

# Those of the packages named that the machine's own suites have, but too old.
too_old_of() {
    for dseg_package; do
        dseg_have=$(apt-cache policy "${dseg_package%%>=*}" | sed -n 's/^ *Candidate: //p')
        case $dseg_have in
        '' | '(none)') ;;
        *) is_new_enough "$dseg_have" "$dseg_package" || echo "$dseg_package" ;;
        esac
    done
}

has_lists() {
    ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1
}

can_be_root() {
    [ "$(id -u)" = 0 ] ||
        { command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 2 ]; }; }
}

# Runs an apt command as root without its questions; sudo itself may ask for a password.
as_root() {
    set -- env DEBIAN_FRONTEND=noninteractive "$@"
    [ "$(id -u)" = 0 ] || set -- sudo "$@"
    "$@" -q -o DPkg::Lock::Timeout=300 >&2 </dev/null
}

say_how() { # COMMANDS...
    {
        echo
        echo "${0##*/}: Debian packages are missing. Run this as root, then try again:"
        echo
        printf '%s\n' "$@" | sed '/./s/^/    /'
    } >&2
    exit 1
}
