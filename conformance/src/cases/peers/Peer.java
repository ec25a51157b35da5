// Apache's client for Java, beside ours: a member of a group, or a producer of bodies in one way of
// compression. It ends with its standard input.
//   member NAMESRV GROUP TOPIC          prints `ready`, then `seen BODY` of each message
//   broadcast NAMESRV GROUP TOPIC ROOT ADDRESS NAME     the same for a member of that name that
//     broadcasts, and keeps its offsets below ROOT
//   send NAMESRV TOPIC NONE|ZLIB|LZ4|ZSTD COUNT LENGTH       prints `ready` when all are stored
//   reply NAMESRV GROUP TOPIC       prints `ready`, and answers each request by `re: ` and its body
//   within NAMESPACE member|send ...   the same, of topics and groups of that namespace
//   request NAMESRV TOPIC COUNT     prints `ready`, then `reply BODY` of each request's reply
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.RequestCallback;
import org.apache.rocketmq.client.utils.MessageUtil;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;

public class Peer {
    static String namespace;

    static synchronized void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    static String body(int at, int length) {
        StringBuilder text = new StringBuilder();
        while (text.length() < length) text.append("message ").append(at).append(" and on ");
        text.setLength(length);
        return text.toString();
    }

    static String sum(byte[] body) {
        return body.length + " " + new String(body, StandardCharsets.UTF_8).hashCode();
    }

    static void broadcast(String[] words) throws Exception {
        System.setProperty("rocketmq.client.localOffsetStoreDir", words[4]);
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(words[2]);
        // The type lies elsewhere in 4.x than in 5.x.
        for (var method : DefaultMQPushConsumer.class.getMethods()) {
            if (!method.getName().equals("setMessageModel")) continue;
            for (Object model : method.getParameterTypes()[0].getEnumConstants()) {
                if (model.toString().equals("BROADCASTING")) method.invoke(consumer, model);
            }
        }
        consumer.setClientIP(words[5]);
        consumer.setInstanceName(words[6]);
        member(consumer, words[1], words[3]);
    }

    static void member(DefaultMQPushConsumer consumer, String namesrv, String topic)
            throws Exception {
        consumer.setNamesrvAddr(namesrv);
        if (namespace != null) consumer.setNamespace(namespace);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            for (var message : messages) say("seen " + sum(message.getBody()));
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        say("ready");
        while (System.in.read() >= 0) { }
        consumer.shutdown();
    }

    static void send(String namesrv, String topic, String type, int count, int length)
            throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer("peer_" + System.nanoTime());
        producer.setNamesrvAddr(namesrv);
        producer.setSendMsgTimeout(10_000);
        if (namespace != null) producer.setNamespace(namespace);
        if (!type.equals("NONE")) {
            System.setProperty("rocketmq.message.compressType", type);
            producer.setCompressMsgBodyOverHowmuch(100);
        }
        if (type.equals("LZ4") || type.equals("ZSTD")) {
            Class<?> types = Class.forName("org.apache.rocketmq.common.compression.CompressionType");
            Object wanted = types.getMethod("of", String.class).invoke(null, type);
            DefaultMQProducer.class.getMethod("setCompressType", types).invoke(producer, wanted);
        }
        producer.start();
        for (int at = 0; at < count; at++) {
            byte[] body = body(at, length).getBytes(StandardCharsets.UTF_8);
            producer.send(new Message(topic, body));
            say("sent " + sum(body));
        }
        say("ready");
        producer.shutdown();
    }

    static DefaultMQProducer asker(String namesrv) throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer("peer_" + System.nanoTime());
        producer.setNamesrvAddr(namesrv);
        producer.start();
        return producer;
    }

    static void reply(String namesrv, String group, String topic) throws Exception {
        DefaultMQProducer producer = asker(namesrv);
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(group);
        consumer.setNamesrvAddr(namesrv);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            for (var message : messages) {
                try {
                    String body = "re: " + new String(message.getBody(), StandardCharsets.UTF_8);
                    byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
                    producer.send(MessageUtil.createReplyMessage(message, bytes), 3000);
                } catch (Exception error) {
                    say("failed " + error);
                }
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        say("ready");
        while (System.in.read() >= 0) { }
        consumer.shutdown();
        producer.shutdown();
    }

    static void request(String namesrv, String topic, int count) throws Exception {
        DefaultMQProducer producer = asker(namesrv);
        say("ready");
        for (int at = 0; at < count; at++) {
            byte[] body = ("java " + at).getBytes(StandardCharsets.UTF_8);
            CountDownLatch ended = new CountDownLatch(1);
            AtomicBoolean replied = new AtomicBoolean();
            // The form without a callback ends in 5.3.3 when the request is stored, as a timeout;
            // this one is called then, too: without a reply, or a second time with one that came
            // before.
            producer.request(new Message(topic, body), new RequestCallback() {
                @Override
                public void onSuccess(Message reply) {
                    if (reply == null || replied.getAndSet(true)) return;
                    say("reply " + new String(reply.getBody(), StandardCharsets.UTF_8));
                    ended.countDown();
                }

                @Override
                public void onException(Throwable error) {
                    say("failed " + error);
                    ended.countDown();
                }
            }, 10_000);
            ended.await();
        }
        producer.shutdown();
    }

    public static void main(String[] words) throws Exception {
        if (words[0].equals("within")) {
            namespace = words[1];
            words = Arrays.copyOfRange(words, 2, words.length);
        }
        switch (words[0]) {
            case "member" -> member(new DefaultMQPushConsumer(words[2]), words[1], words[3]);
            case "reply" -> reply(words[1], words[2], words[3]);
            case "request" -> request(words[1], words[2], Integer.parseInt(words[3]));
            case "broadcast" -> broadcast(words);
            default -> send(words[1], words[2], words[3], Integer.parseInt(words[4]),
                Integer.parseInt(words[5]));
        }
        System.exit(0);
    }
}
