import java.nio.ByteBuffer;
import java.util.*;
import java.util.stream.Collectors;

import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.*;
import org.apache.kafka.clients.consumer.internals.AbstractPartitionAssignor;
import org.apache.kafka.common.*;

/**
 * Prints random groups and what Kafka's own assignors give their members, for src/consumer/assignors/java_results.txt.
 * A line reads
 *
 *   assignor|topic:partitions or topic=rack+rack/rack/…,…|member[@static id][#rack]=topic,…[~generation~topic:partition,…];…|member=topic:partition,…;…
 *
 * where the racks are those of each partition's replicas, and the last part of a member is what it has. Members are in
 * the order in which the leader's map got them.
 */
public class AssignorsGolden {
    static final Random random = new Random(20260);
    static final String[] TOPICS = {"Gamma", "alpha", "beta", "d-1"};
    static final String[] RACKS = {"r1", "r2", "r3"};

    static class Member {
        String id, instance, rack;
        List<String> topics = new ArrayList<>();
        List<TopicPartition> owned = new ArrayList<>();
        int generation = -1;
    }

    public static void main(String[] args) {
        for (int i = 0; i < 60; i++) rangeWithRacks();
        for (int i = 0; i < 70; i++) sticky(true);
        for (int i = 0; i < 70; i++) sticky(false);
    }

    static boolean chance(int percent) {
        return random.nextInt(100) < percent;
    }

    static Member member(int number, List<String> topics, boolean same, boolean racks) {
        Member member = new Member();
        member.id = "m" + (char) ('a' + random.nextInt(26)) + number;
        if (chance(25)) member.instance = "s" + (char) ('a' + random.nextInt(26)) + number;
        if (racks && chance(85)) member.rack = RACKS[random.nextInt(RACKS.length)];
        member.topics = topics.stream().filter(t -> same || chance(70)).collect(Collectors.toList());
        if (member.topics.isEmpty()) member.topics.add(topics.get(0));
        return member;
    }

    /** By topic, and within it by partition, the racks of the replicas; null where racks are not known. */
    static Map<String, List<Set<String>>> topics(boolean racks) {
        Map<String, List<Set<String>>> all = new TreeMap<>();
        int equal = 1 + random.nextInt(6);
        for (String topic : TOPICS) {
            if (!all.isEmpty() && chance(40)) continue;
            List<Set<String>> partitions = new ArrayList<>();
            int count = chance(50) ? equal : 1 + random.nextInt(6);
            for (int p = 0; p < count; p++) {
                Set<String> near = new TreeSet<>();
                for (String rack : RACKS) if (chance(45)) near.add(rack);
                partitions.add(racks ? near : null);
            }
            all.put(topic, partitions);
        }
        return all;
    }

    static Cluster cluster(Map<String, List<Set<String>>> topics) {
        Map<String, Node> nodes = new HashMap<>();
        for (int i = 0; i < RACKS.length; i++) nodes.put(RACKS[i], new Node(i + 1, "h", 9092, RACKS[i]));
        Node bare = new Node(9, "h", 9092);
        List<PartitionInfo> infos = new ArrayList<>();
        topics.forEach((topic, partitions) -> {
            for (int p = 0; p < partitions.size(); p++) {
                Set<String> racks = partitions.get(p);
                Node[] replicas = racks == null || racks.isEmpty() ? new Node[] {bare}
                    : racks.stream().map(nodes::get).toArray(Node[]::new);
                infos.add(new PartitionInfo(topic, p, replicas[0], replicas, replicas));
            }
        });
        List<Node> all = new ArrayList<>(nodes.values());
        all.add(bare);
        return new Cluster("c", all, infos, Set.of(), Set.of());
    }

    static Map<String, List<TopicPartition>> run(AbstractPartitionAssignor assignor, Cluster cluster, List<Member> members) {
        Map<String, Subscription> subscriptions = new HashMap<>();
        for (Member member : members) {
            ByteBuffer data = null;
            List<TopicPartition> owned = member.owned;
            if (assignor instanceof StickyAssignor) {
                StickyAssignor memory = new StickyAssignor();
                if (member.generation >= 0) {
                    memory.onAssignment(new Assignment(member.owned), new ConsumerGroupMetadata("g", member.generation, member.id, Optional.empty()));
                }
                data = memory.subscriptionUserData(Set.copyOf(member.topics));
                owned = List.of();
            }
            Subscription subscription = new Subscription(member.topics, data, owned, member.generation, Optional.ofNullable(member.rack));
            subscription.setGroupInstanceId(Optional.ofNullable(member.instance));
            subscriptions.put(member.id, subscription);
        }
        Map<String, Assignment> result = assignor.assign(cluster, new GroupSubscription(subscriptions)).groupAssignment();
        Map<String, List<TopicPartition>> plain = new TreeMap<>();
        result.forEach((id, assignment) -> plain.put(id, assignment.partitions()));
        return plain;
    }

    static void rangeWithRacks() {
        Map<String, List<Set<String>>> topics = topics(true);
        List<String> names = new ArrayList<>(topics.keySet());
        boolean same = chance(60);
        List<Member> members = new ArrayList<>();
        int count = 1 + random.nextInt(5);
        for (int i = 0; i < count; i++) members.add(member(i, names, same, true));
        print(new RangeAssignor(), topics, members);
    }

    static void sticky(boolean cooperative) {
        boolean racks = chance(40), same = chance(55);
        Map<String, List<Set<String>>> topics = topics(racks);
        List<String> names = new ArrayList<>(topics.keySet());
        List<Member> members = new ArrayList<>();
        int count = 1 + random.nextInt(6);
        for (int i = 0; i < count; i++) members.add(member(i, names, same, racks));
        // What they have comes from some rounds before, with members coming and going.
        int rounds = random.nextInt(4);
        int generation = 1;
        for (int round = 0; round < rounds; round++) {
            Map<String, List<TopicPartition>> had;
            try {
                had = run(cooperative ? new CooperativeStickyAssignor() : new StickyAssignor(), cluster(topics), members);
            } catch (RuntimeException e) {
                return;
            }
            for (Member member : members) {
                // One that missed the round still has what it had.
                if (member.generation >= 0 && chance(12)) continue;
                member.owned = new ArrayList<>(had.get(member.id));
                member.generation = generation;
            }
            generation++;
            if (members.size() > 1 && chance(35)) members.remove(random.nextInt(members.size()));
            if (members.size() < 7 && chance(45)) members.add(member(10 + round, names, same, racks));
            if (chance(25)) {
                String name = names.get(random.nextInt(names.size()));
                if (topics.get(name).size() < 7) topics.get(name).add(racks ? new TreeSet<>(Set.of(RACKS[random.nextInt(3)])) : null);
            }
        }
        print(cooperative ? new CooperativeStickyAssignor() : new StickyAssignor(), topics, members);
    }

    static String join(List<TopicPartition> partitions) {
        return partitions.stream().map(tp -> tp.topic() + ":" + tp.partition()).collect(Collectors.joining(","));
    }

    static void print(AbstractPartitionAssignor assignor, Map<String, List<Set<String>>> topics, List<Member> members) {
        Map<String, List<TopicPartition>> result;
        try {
            result = run(assignor, cluster(topics), members);
        } catch (RuntimeException e) {
            return;
        }
        String shown = topics.entrySet().stream().map(e -> e.getValue().get(0) == null
            ? e.getKey() + ":" + e.getValue().size()
            : e.getKey() + "=" + e.getValue().stream().map(r -> String.join("+", r)).collect(Collectors.joining("/"))).collect(Collectors.joining(","));
        String who = members.stream().map(m -> m.id + (m.instance == null ? "" : "@" + m.instance) + (m.rack == null ? "" : "#" + m.rack)
            + "=" + String.join(",", m.topics) + (m.generation < 0 ? "" : "~" + m.generation + "~" + join(m.owned))).collect(Collectors.joining(";"));
        String what = result.entrySet().stream().map(e -> e.getKey() + "=" + join(e.getValue().stream()
            .sorted(Comparator.comparing(TopicPartition::topic).thenComparing(TopicPartition::partition)).collect(Collectors.toList()))).collect(Collectors.joining(";"));
        System.out.println(assignor.name() + "|" + shown + "|" + who + "|" + what);
    }
}
