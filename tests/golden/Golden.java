import java.lang.reflect.Method;
import java.lang.reflect.ParameterizedType;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.*;

import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.*;
import org.apache.kafka.common.protocol.*;
import org.apache.kafka.common.protocol.types.*;

/**
 * Prints what Kafka's own classes make of each message in each version: name, version, variant, and the bytes in
 * hexadecimal. With a file as argument, what is in the file is not printed again, so that a second run with an older
 * jar adds the versions that Kafka has removed since. See README.md beside this file.
 *
 * Every field gets a value that follows from its name, so that a swapped pair of fields shows. In the variant
 * "full" every array has two items; in the variant "bare" arrays are empty and what may be null is null.
 */
public class Golden {
    public static void main(String[] args) throws Exception {
        Set<String> known = new HashSet<>();
        if (args.length > 0) {
            for (String line : Files.readAllLines(Path.of(args[0]))) {
                String[] words = line.split(" ");
                known.add(words[0] + " " + words[1]);
            }
        }
        for (ApiMessageType type : ApiMessageType.values()) {
            if (!type.listeners().contains(ApiMessageType.ListenerType.BROKER)) continue; // no client sends it
            if (type.name().contains("SHARE_GROUP_STATE")) continue; // only brokers send it
            if (type.name().equals("LIST_CLIENT_METRICS_RESOURCES")) continue; // has another name in Kafka 4
            if (!known.isEmpty() && type.latestVersionUnstable()) continue; // was never for real
            print(type.newRequest().getClass(), known);
            print(type.newResponse().getClass(), known);
        }
        print(ConsumerProtocolSubscription.class, known);
        print(ConsumerProtocolAssignment.class, known);
        for (String name : List.of("ControlRecordTypeSchema", "EndTxnMarker")) {
            try {
                print(Class.forName("org.apache.kafka.common.message." + name), known);
            } catch (ClassNotFoundException older) {
                // Kafka 3.9 has no such classes.
            }
        }
    }

    static void print(Class<?> type, Set<String> known) throws Exception {
        String name = type.getSimpleName().replaceFirst("Data$", "");
        Schema[] schemas = (Schema[]) type.getField("SCHEMAS").get(null);
        for (short version = 0; version < schemas.length; version++) {
            if (schemas[version] == null || known.contains(name + " " + version)) continue;
            for (boolean bare : new boolean[] {false, true}) {
                Message message = (Message) fill(type, schemas[version], bare);
                ObjectSerializationCache cache = new ObjectSerializationCache();
                ByteBuffer buffer = ByteBuffer.allocate(message.size(cache, version));
                message.write(new ByteBufferAccessor(buffer), cache, version);
                if (buffer.hasRemaining()) throw new IllegalStateException(name);
                String hex = HexFormat.of().formatHex(buffer.array());
                System.out.println(name + " " + version + " " + (bare ? "bare" : "full") + " " + hex);
            }
        }
    }

    static Object fill(Class<?> type, Schema schema, boolean bare) throws Exception {
        Object message = type.getDeclaredConstructor().newInstance();
        for (BoundField field : schema.fields()) {
            if (field.def.type instanceof TaggedFields tagged) {
                java.lang.reflect.Field fields = TaggedFields.class.getDeclaredField("fields");
                fields.setAccessible(true); // Kafka 3.9 has no method for it.
                for (Object def : ((Map<?, ?>) fields.get(tagged)).values()) set(message, (Field) def, bare);
            } else {
                set(message, field.def, bare);
            }
        }
        return message;
    }

    static void set(Object message, Field field, boolean bare) throws Exception {
        StringBuilder name = new StringBuilder("set");
        for (String word : field.name.split("_")) name.append(word.toLowerCase(Locale.ROOT));
        for (Method method : message.getClass().getMethods()) {
            if (!method.getName().equalsIgnoreCase(name.toString())) continue;
            java.lang.reflect.Type type = method.getGenericParameterTypes()[0];
            method.invoke(message, value(type, field.type, number(field.name), bare));
            return;
        }
        throw new NoSuchMethodException(message.getClass() + " " + name);
    }

    /** The sum of the letters, each times its place: different for different names, mostly. */
    static int number(String name) {
        int sum = 0, place = 0;
        for (char letter : name.toLowerCase(Locale.ROOT).toCharArray()) {
            if (letter != '_') sum += letter * ++place;
        }
        return sum;
    }

    @SuppressWarnings("unchecked")
    static Object value(java.lang.reflect.Type java, Type type, int n, boolean bare) throws Exception {
        if (bare && type.isNullable()) return null;
        if (type.isArray()) {
            Class<?> raw = java instanceof ParameterizedType p ? (Class<?>) p.getRawType() : (Class<?>) java;
            java.lang.reflect.Type item = java instanceof ParameterizedType p
                    ? p.getActualTypeArguments()[0]
                    : ((ParameterizedType) raw.getGenericSuperclass()).getActualTypeArguments()[0];
            Collection<Object> items =
                    raw == List.class ? new ArrayList<>() : (Collection<Object>) raw.getDeclaredConstructor().newInstance();
            for (int i = 0; i < (bare ? 0 : 2); i++) items.add(value(item, type.arrayElementType().get(), n, bare));
            return items;
        }
        if (type instanceof Schema schema) return fill((Class<?>) java, schema, bare);
        if (java == byte.class || java == Byte.class) return (byte) n;
        if (java == short.class || java == Short.class) return (short) n;
        if (java == int.class || java == Integer.class) return n;
        if (java == long.class || java == Long.class) return (long) n;
        if (java == double.class) return n / 8.0;
        if (java == boolean.class) return n % 2 == 1;
        if (java == String.class) return "s" + n;
        if (java == Uuid.class) return new Uuid(n, n);
        byte[] bytes = ("b" + n).getBytes(StandardCharsets.UTF_8);
        if (java == byte[].class) return bytes;
        if (java == ByteBuffer.class) return ByteBuffer.wrap(bytes);
        if (java instanceof Class<?> records && records.getSimpleName().equals("BaseRecords")) {
            // The package is another one in Kafka 3.9.
            Class<?> memory = Class.forName(records.getPackageName() + ".MemoryRecords");
            return memory.getMethod("readableRecords", ByteBuffer.class).invoke(null, ByteBuffer.wrap(bytes));
        }
        throw new IllegalArgumentException(java + " " + type);
    }
}
