# For bin/flinch and bin/flinch-gpu-check: `java` starts the bundled runtime. Expects $home, the bundle's folder.
# FLINCH_OPTS: more flags for the JVM, such as -Xmx8g.

# Names and titles are not always ASCII, and containers often say nothing about the locale.
case ${LC_ALL:-${LC_CTYPE:-${LANG:-}}} in
  *[Uu][Tt][Ff]*) ;;
  *) export LC_ALL=C.UTF-8 2>/dev/null ;; # bash complains where the machine has not even that
esac

cache=${XDG_CACHE_HOME:-~/.cache}/flinch
flags=(
  --add-modules jdk.incubator.vector
  -Djava.awt.headless=true
  # Also where there is no locale at all.
  -Dfile.encoding=UTF-8 -Dsun.jnu.encoding=UTF-8 -Dsun.stdout.encoding=UTF-8 -Dsun.stderr.encoding=UTF-8
  -Dsun.awt.fontconfig="$home/runtime/lib/fontconfig.properties"
  -Dflinch.cache="$cache"
  -Dorg.bytedeco.javacpp.cachedir="$cache/natives"
  -Djava.library.path="$cache/natives"
  # Weights and data live off the heap; the heap is small, and starts fastest with this collector.
  -XX:+UseSerialGC
)

# What the runtime needs of a system beside glibc. The machine's own libstdc++ goes first where it has one: other
# libraries of the machine may want a newer one than the bundle's.
libraries=$home/lib/system
own=no
for folder in /usr/lib/x86_64-linux-gnu /lib/x86_64-linux-gnu /usr/lib64 /lib64 /usr/lib /lib; do
  [[ ! -e $folder/libstdc++.so.6 ]] || own=yes
done
[[ $own == yes ]] || libraries+=:$home/lib/cxx
libraries=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$libraries

read -ra more <<<"${FLINCH_OPTS:-}"
