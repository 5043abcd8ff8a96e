#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A JVM: its heap and collector, compiled code, threads, memory outside of the heap.
set -eu
. "$(dirname "$0")/common.sh"
cat > Load.java << 'END'
import java.util.*;
import java.util.stream.*;

public class Load {
    public static void main(String[] arguments) throws Exception {
        Map<Integer, String> table = new HashMap<>();
        for (int i = 0; i < 100000; i++) table.put(i * 7919 % 100003, "value " + i);
        var digest = java.security.MessageDigest.getInstance("SHA-256");
        for (int i = 0; i < 100000; i++) digest.update(String.valueOf(table.get(i)).getBytes());
        long sum = IntStream.range(0, 1000000).parallel().mapToLong(i -> i * 31L % 1009).sum();
        var direct = java.nio.ByteBuffer.allocateDirect(16 << 20);
        while (direct.hasRemaining()) direct.putInt(direct.position() * 17);
        digest.update(direct.flip());
        for (int i = 0; i < 20; i++) {
            byte[] garbage = new byte[4 << 20];
            garbage[i] = 1;
            System.gc();
        }
        System.out.println(System.getProperty("java.version"));
        System.out.println(HexFormat.of().formatHex(digest.digest()) + " " + sum);
    }
}
END
set -- /usr/lib/jvm/java-*-openjdk-*/bin/java
# shellcheck disable=SC2086  # words
$RUN "$1" -Xmx256m -Djava.io.tmpdir=/tmp Load.java
