// Apache's client for Go as a member of a group, beside ours: NAMESRV GROUP TOPIC. It prints `ready`
// and ends with its standard input.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/rlog"
)

func main() {
	rlog.SetLogLevel("fatal")
	member, err := rocketmq.NewPushConsumer(
		consumer.WithNameServer([]string{os.Args[1]}),
		consumer.WithGroupName(os.Args[2]),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset))
	if err != nil {
		panic(err)
	}
	handle := func(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		for range messages {
			fmt.Println("seen")
		}
		return consumer.ConsumeSuccess, nil
	}
	if err := member.Subscribe(os.Args[3], consumer.MessageSelector{}, handle); err != nil {
		panic(err)
	}
	if err := member.Start(); err != nil {
		panic(err)
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = member.Shutdown()
}
