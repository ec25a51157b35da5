// Apache's client for Java and transactions, beside ours. It ends with its standard input.
//   leave NAMESRV GROUP TOPIC COUNT   begins so many transactions, bodies `java N`, and knows nothing
//     of them; prints `ready` once all half messages are stored
//   answer NAMESRV GROUP TOPIC        commits one of its own, `java 100`; prints `ready`, and
//     `asked BODY` when it is asked: it commits even numbers and rolls back odd ones
//   read NAMESRV GROUP TOPIC          prints `ready`, then `got BODY FLAGS TRANSACTION` of each
//     message
import java.nio.charset.StandardCharsets;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

public class Transactions {
    static synchronized void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    static String text(byte[] body) {
        return new String(body, StandardCharsets.UTF_8);
    }

    /** Decides by the number that a body ends with; what is left to others is unknown. */
    static LocalTransactionState of(String body) {
        int number = Integer.parseInt(body.substring(body.lastIndexOf(' ') + 1));
        return number % 2 == 0 ? LocalTransactionState.COMMIT_MESSAGE
            : LocalTransactionState.ROLLBACK_MESSAGE;
    }

    static TransactionMQProducer producer(String[] words, boolean answers) throws Exception {
        TransactionMQProducer producer = new TransactionMQProducer(words[2]);
        producer.setNamesrvAddr(words[1]);
        producer.setSendMsgTimeout(10_000);
        producer.setHeartbeatBrokerInterval(1_000);
        producer.setTransactionListener(new TransactionListener() {
            @Override
            public LocalTransactionState executeLocalTransaction(Message message, Object own) {
                return own == null ? LocalTransactionState.UNKNOW
                    : LocalTransactionState.COMMIT_MESSAGE;
            }

            @Override
            public LocalTransactionState checkLocalTransaction(MessageExt message) {
                if (!answers) return LocalTransactionState.UNKNOW;
                say("asked " + text(message.getBody()));
                return of(text(message.getBody()));
            }
        });
        producer.start();
        return producer;
    }

    static void send(TransactionMQProducer producer, String topic, String body, Object own)
            throws Exception {
        Message message = new Message(topic, body.getBytes(StandardCharsets.UTF_8));
        SendStatus status = producer.sendMessageInTransaction(message, own).getSendStatus();
        if (status != SendStatus.SEND_OK) throw new IllegalStateException(status.name());
    }

    static void read(String[] words) throws Exception {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(words[2]);
        consumer.setNamesrvAddr(words[1]);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(words[3], "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            for (MessageExt message : messages) {
                say("got " + text(message.getBody()) + " " + (message.getSysFlag() & 12) + " "
                    + message.getProperty("TRANSACTION_ID"));
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
    }

    public static void main(String[] words) throws Exception {
        switch (words[0]) {
            case "leave":
                TransactionMQProducer leaves = producer(words, false);
                for (int at = 0; at < Integer.parseInt(words[4]); at++) {
                    send(leaves, words[3], "java " + at, null);
                }
                break;
            case "answer":
                send(producer(words, true), words[3], "java 100", "commit");
                break;
            default:
                read(words);
        }
        say("ready");
        while (System.in.read() >= 0) { }
        System.exit(0);
    }
}
