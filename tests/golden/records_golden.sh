#!/bin/sh
# Makes the batches in tests/data/records with Kafka's Java classes, kafka-python and
# librdkafka, or lets those read kavka's.
#
#   records_golden.sh write           # into tests/data/records
#   records_golden.sh check DIR       # DIR: where `cargo test --test records` put ours (it prints the place)
#
# Needs java 17, mvn and python 3; everything else is fetched into target/golden.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$root/target/golden
mkdir -p "$work"

# Kafka 4 has no builder for message sets 0 and 1 any more, and keeps the classes in another package.
jars() {
    if [ ! -d "$work/$1/lib" ]; then
        mkdir -p "$work/$1"
        cat > "$work/$1/pom.xml" <<EOF
<project><modelVersion>4.0.0</modelVersion>
<groupId>kavka</groupId><artifactId>golden</artifactId><version>1</version>
<dependencies><dependency>
<groupId>org.apache.kafka</groupId><artifactId>kafka-clients</artifactId><version>$1</version>
</dependency></dependencies></project>
EOF
        (cd "$work/$1" && mvn -q -B dependency:copy-dependencies -DoutputDirectory=lib)
    fi
}
jars 4.4.0
jars 3.9.1
sed 's/common\.record\.internal\./common.record./' "$here/RecordsGolden.java" > "$work/3.9.1/RecordsGolden.java"
cp "$here/RecordsGolden.java" "$work/4.4.0/RecordsGolden.java"
if [ ! -d "$work/venv" ]; then
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" -q install kafka-python==3.0.12 python-snappy lz4 zstandard xxhash confluent-kafka
fi

java_golden() {
    version=$1
    shift
    java -cp "$work/$version/lib/*" "$work/$version/RecordsGolden.java" "$@" 2> "$work/java.log" ||
        { cat "$work/java.log" >&2; exit 1; }
}

case $1 in
write)
    java_golden 4.4.0 write "$root/tests/data/records" java 2
    java_golden 3.9.1 write "$root/tests/data/records" java 0 1
    "$work/venv/bin/python3" "$here/records_golden.py" write "$root/tests/data/records"
    "$work/venv/bin/python3" "$here/librdkafka_golden.py" write "$root/tests/data/records"
    ;;
check)
    java_golden 4.4.0 check "$2"
    java_golden 3.9.1 check "$2"
    "$work/venv/bin/python3" "$here/records_golden.py" check "$2"
    "$work/venv/bin/python3" "$here/librdkafka_golden.py" check "$2"
    ;;
*)
    echo "write or check DIR?" >&2
    exit 2
    ;;
esac
