import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.*;

/**
 * Writes batches with Kafka's own classes, or reads kavka's with them.
 *
 * usage: RecordsGolden write DIR PREFIX MAGIC...
 *        RecordsGolden check DIR
 *
 * The records are those of tests/records.rs, which see.
 */
public class RecordsGolden {
    static final long TIME = 1_500_000_000_000L;

    record Golden(long time, byte[] key, byte[] value, Header[] headers) {}

    static byte[] utf8(String text) {
        return text == null ? null : text.getBytes(StandardCharsets.UTF_8);
    }

    static byte[] pattern(int length) {
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++) bytes[i] = (byte) ('a' + i % 26 + i / 1000 % 3);
        return bytes;
    }

    static List<Golden> golden(boolean compressed, boolean headers) {
        Header[] none = {};
        Header[] some = {
            new RecordHeader("h1", utf8("one")), new RecordHeader("h1", (byte[]) null),
            new RecordHeader("ключ", new byte[0])
        };
        List<Golden> all = new ArrayList<>(List.of(
            new Golden(TIME, utf8("k0"), utf8("v0"), none),
            new Golden(TIME + 1, null, utf8("no key"), headers ? some : none),
            new Golden(TIME + 300, utf8("no value"), null, none),
            new Golden(TIME + 100_000, new byte[0], new byte[0], none),
            new Golden(TIME + 2, null, null, none),
            new Golden(TIME + 3, utf8("2000"), pattern(2000), none),
            new Golden(TIME - 5, utf8("früh"), utf8("before the first"), none)));
        if (compressed) all.add(new Golden(TIME + 4, utf8("large"), pattern(150_000), none));
        return all;
    }

    static Compression compression(String codec) {
        switch (codec) {
            case "gzip": return Compression.gzip().build();
            case "snappy": return Compression.snappy().build();
            case "lz4": return Compression.lz4().build();
            case "zstd": return Compression.zstd().build();
            default: return Compression.NONE;
        }
    }

    static ByteBuffer batch(byte magic, String codec, TimestampType type, long base, long id, boolean txn) {
        ByteBuffer buffer = ByteBuffer.allocate(1 << 20);
        MemoryRecordsBuilder builder = new MemoryRecordsBuilder(
            buffer, magic, compression(codec), type, base, TIME + 77, id, (short) (id < 0 ? -1 : 3),
            id < 0 ? -1 : 17, txn, false, 5, buffer.capacity());
        for (Golden g : golden(!codec.equals("none"), magic == 2)) {
            builder.append(g.time, g.key, g.value, g.headers);
        }
        return builder.build().buffer();
    }

    static void save(Path path, ByteBuffer buffer) throws IOException {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        Files.write(path, bytes);
    }

    static void write(Path dir, String prefix, byte magic) throws IOException {
        for (String codec : new String[] {"none", "gzip", "snappy", "lz4", "zstd"}) {
            if (magic < 2 && codec.equals("zstd")) continue;
            String name = prefix + "-m" + magic + "-" + codec;
            save(dir.resolve(name + ".bin"), batch(magic, codec, TimestampType.CREATE_TIME, 0, -1, false));
            if (magic > 0 && codec.equals("lz4")) {
                save(dir.resolve(name + "-appendtime.bin"),
                    batch(magic, codec, TimestampType.LOG_APPEND_TIME, 42, -1, false));
            }
        }
        if (magic == 2) {
            save(dir.resolve(prefix + "-m2-none-transactional.bin"),
                batch(magic, "none", TimestampType.CREATE_TIME, 42, 4711, true));
            for (ControlRecordType type : new ControlRecordType[] {ControlRecordType.ABORT, ControlRecordType.COMMIT}) {
                MemoryRecords marker = MemoryRecords.withEndTransactionMarker(
                    42, TIME, 5, 4711, (short) 3, new EndTransactionMarker(type, 9));
                String name = type.name().toLowerCase();
                save(dir.resolve(prefix + "-m2-control-" + name + ".bin"), marker.buffer());
            }
        }
    }

    static void check(Path file) throws IOException {
        String[] parts = file.getFileName().toString().replace(".bin", "").split("-");
        byte magic = Byte.parseByte(parts[1].substring(1));
        String codec = parts[2];
        List<Golden> expected = golden(!codec.equals("none"), magic == 2);
        int seen = 0;
        MemoryRecords records = MemoryRecords.readableRecords(ByteBuffer.wrap(Files.readAllBytes(file)));
        for (RecordBatch batch : records.batches()) {
            batch.ensureValid();
            require(batch.magic() == magic, "magic");
            require(batch.compressionType().name.equals(codec), "codec");
            for (org.apache.kafka.common.record.internal.Record record : batch) {
                record.ensureValid();
                Golden g = expected.get(seen);
                require(magic == 0 || record.timestamp() == g.time, "timestamp of " + seen);
                require(record.offset() == seen, "offset of " + seen);
                require(Arrays.equals(bytes(record.key()), g.key), "key of " + seen);
                require(Arrays.equals(bytes(record.value()), g.value), "value of " + seen);
                require(Arrays.equals(record.headers(), g.headers), "headers of " + seen);
                seen++;
            }
            if (magic == 2 && parts.length > 3) {
                require(batch.producerId() == 4711 && batch.producerEpoch() == 3, "producer");
                require(batch.baseSequence() == 17 && batch.isTransactional(), "sequence");
            }
        }
        require(records.validBytes() == records.sizeInBytes(), "bytes left over");
        require(seen == expected.size(), "count " + seen);
        System.out.println("ok " + file.getFileName());
    }

    static byte[] bytes(ByteBuffer buffer) {
        if (buffer == null) return null;
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        return bytes;
    }

    static void require(boolean holds, String what) {
        if (!holds) throw new IllegalStateException("wrong " + what);
    }

    public static void main(String[] args) throws IOException {
        Path dir = Path.of(args[1]);
        if (args[0].equals("write")) {
            for (int i = 3; i < args.length; i++) write(dir, args[2], Byte.parseByte(args[i]));
            return;
        }
        List<Path> files;
        try (Stream<Path> listed = Files.list(dir)) {
            files = listed.filter(path -> path.toString().endsWith(".bin")).sorted().toList();
        }
        for (Path file : files) {
            try {
                check(file);
            } catch (Exception error) {
                throw new IllegalStateException(file + ": " + error.getMessage(), error);
            }
        }
        require(!files.isEmpty(), "directory: no files");
    }
}
