// What Apache's client for Java sees of a cluster by each model of consuming; one line for each.
//   NAMESRV PREFIX       the topics PREFIXorderly ... have four queues each, the group's names begin
//     alike
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

public class Models {
    static String namesrv, prefix;
    static DefaultMQProducer producer;

    static synchronized void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    static void await(BooleanSupplier holds) throws Exception {
        long end = System.currentTimeMillis() + 60_000;
        while (!holds.getAsBoolean() && System.currentTimeMillis() < end) Thread.sleep(50);
        Thread.sleep(1_000); // What comes too often comes soon.
    }

    static int body(MessageExt message) {
        return Integer.parseInt(new String(message.getBody(), StandardCharsets.UTF_8));
    }

    static void send(String topic, int count) throws Exception {
        for (int at = 0; at < count; at++) {
            Message message = new Message(prefix + topic, String.valueOf(at).getBytes());
            message.putUserProperty("a", String.valueOf(at));
            message.putUserProperty("b", at % 2 == 0 ? "even" : "odd");
            producer.send(message, (queues, m, number) -> {
                for (MessageQueue queue : queues) {
                    if (queue.getQueueId() == (int) number) return queue;
                }
                return null;
            }, at % 4);
        }
    }

    static DefaultMQPushConsumer consumer(String name) {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(prefix + "group_" + name);
        consumer.setNamesrvAddr(namesrv);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        return consumer;
    }

    static String sorted(Map<Integer, Integer> seen) {
        return seen.entrySet().stream().map(of -> of.getKey() + "x" + of.getValue())
            .collect(Collectors.joining(" "));
    }

    static void orderly() throws Exception {
        send("orderly", 40);
        Map<Integer, List<String>> seen = new ConcurrentSkipListMap<>();
        DefaultMQPushConsumer consumer = consumer("orderly");
        consumer.subscribe(prefix + "orderly", "*");
        consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
            MessageExt message = messages.get(0);
            List<String> queue = seen.computeIfAbsent(message.getQueueId(), id -> new ArrayList<>());
            boolean again = body(message) == 13 && message.getReconsumeTimes() == 0;
            synchronized (queue) {
                queue.add(body(message) + (again ? " again" : ""));
            }
            context.setSuspendCurrentQueueTimeMillis(100);
            return again ? ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT
                : ConsumeOrderlyStatus.SUCCESS;
        });
        consumer.start();
        await(() -> seen.values().stream().mapToInt(List::size).sum() >= 41);
        seen.forEach((queue, bodies) -> say("orderly " + queue + ": " + bodies));
        consumer.shutdown();
    }

    static void broadcast() throws Exception {
        List<Map<Integer, Integer>> all = new ArrayList<>();
        List<DefaultMQPushConsumer> members = new ArrayList<>();
        for (int member = 0; member < 2; member++) {
            Map<Integer, Integer> seen = new ConcurrentSkipListMap<>();
            all.add(seen);
            DefaultMQPushConsumer consumer = consumer("broadcast");
            consumer.setInstanceName("member" + member);
            // The type lies elsewhere in 4.x than in 5.x.
            for (var method : DefaultMQPushConsumer.class.getMethods()) {
                if (!method.getName().equals("setMessageModel")) continue;
                for (Object model : method.getParameterTypes()[0].getEnumConstants()) {
                    if (model.toString().equals("BROADCASTING")) method.invoke(consumer, model);
                }
            }
            consumer.subscribe(prefix + "broadcast", "*");
            consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
                for (MessageExt message : messages) seen.merge(body(message), 1, Integer::sum);
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
            consumer.start();
            members.add(consumer);
        }
        send("broadcast", 20);
        await(() -> all.stream().allMatch(seen -> seen.size() >= 20));
        for (Map<Integer, Integer> seen : all) say("broadcast " + sorted(seen));
        members.forEach(DefaultMQPushConsumer::shutdown);
    }

    static Map<Integer, Integer> poll(DefaultLitePullConsumer consumer, int count) throws Exception {
        Map<Integer, Integer> seen = new TreeMap<>();
        await(() -> {
            for (MessageExt message : consumer.poll(200)) seen.merge(body(message), 1, Integer::sum);
            return seen.size() >= count;
        });
        for (MessageExt message : consumer.poll(200)) seen.merge(body(message), 1, Integer::sum);
        return seen;
    }

    static void polled() throws Exception {
        send("polled", 20);
        DefaultLitePullConsumer consumer = new DefaultLitePullConsumer(prefix + "group_polled");
        consumer.setNamesrvAddr(namesrv);
        consumer.setAutoCommit(false);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(prefix + "polled", "*");
        consumer.start();
        say("polled " + sorted(poll(consumer, 20)));
        consumer.commitSync();
        Thread.sleep(1_000);
        List<MessageQueue> queues = new ArrayList<>(consumer.fetchMessageQueues(prefix + "polled"));
        queues.sort(null);
        for (MessageQueue queue : queues) {
            say("committed " + queue.getQueueId() + ": " + consumer.committed(queue)
                + ", at time 0: " + consumer.offsetForTimestamp(queue, 0L));
            consumer.seek(queue, 3);
        }
        say("polled from 3 " + sorted(poll(consumer, 8)));
        consumer.shutdown();
        DefaultLitePullConsumer assigned = new DefaultLitePullConsumer(prefix + "group_assigned");
        assigned.setNamesrvAddr(namesrv);
        assigned.setAutoCommit(false);
        assigned.start();
        assigned.assign(queues.subList(0, 2));
        for (MessageQueue queue : queues.subList(0, 2)) assigned.seekToBegin(queue);
        say("assigned " + sorted(poll(assigned, 10)));
        assigned.shutdown();
    }

    static void sql() throws Exception {
        send("sql", 40);
        Map<Integer, Integer> seen = new ConcurrentSkipListMap<>();
        DefaultMQPushConsumer consumer = consumer("sql");
        consumer.subscribe(prefix + "sql",
            MessageSelector.bySql("a BETWEEN 10 AND 29 AND b = 'even' AND a NOT IN ('12', '14')"));
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            for (MessageExt message : messages) seen.merge(body(message), 1, Integer::sum);
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        await(() -> seen.size() >= 8);
        say("sql " + sorted(seen));
        consumer.shutdown();
        DefaultMQPushConsumer refused = consumer("refused");
        refused.subscribe(prefix + "sql", MessageSelector.bySql("a >"));
        refused.registerMessageListener((MessageListenerConcurrently) (messages, context) ->
            ConsumeConcurrentlyStatus.CONSUME_SUCCESS);
        try {
            refused.start();
            say("refused not");
        } catch (Exception error) {
            say("refused " + error.getClass().getSimpleName());
        }
    }

    static void retried() throws Exception {
        send("retried", 8);
        Map<Integer, List<String>> seen = new ConcurrentSkipListMap<>();
        DefaultMQPushConsumer consumer = consumer("retried");
        consumer.setMaxReconsumeTimes(2);
        consumer.subscribe(prefix + "retried", "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            MessageExt message = messages.get(0);
            List<String> of = seen.computeIfAbsent(body(message), id -> new ArrayList<>());
            synchronized (of) {
                of.add(message.getReconsumeTimes() + " of " + message.getTopic().equals(prefix + "retried"));
            }
            context.setDelayLevelWhenNextConsume(1);
            return body(message) == 3 ? ConsumeConcurrentlyStatus.RECONSUME_LATER
                : ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        await(() -> seen.size() >= 8 && seen.get(3).size() >= 3);
        Thread.sleep(2_000);
        seen.forEach((body, times) -> say("retried " + body + ": " + times));
        consumer.shutdown();
    }

    public static void main(String[] words) {
        try {
            all(words);
        } catch (Exception error) {
            error.printStackTrace();
        }
        System.exit(0);
    }

    static void all(String[] words) throws Exception {
        namesrv = words[0];
        prefix = words[1];
        producer = new DefaultMQProducer(prefix + "producer");
        producer.setNamesrvAddr(namesrv);
        producer.setSendMsgTimeout(10_000);
        producer.start();
        orderly();
        broadcast();
        polled();
        sql();
        retried();
        producer.shutdown();
        say("ready");
    }
}
