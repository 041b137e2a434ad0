package fakenet_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starlingbot/starling/internal/fakenet"
	"github.com/stretchr/testify/require"
)

// base names a request by the end of its path, as slackfake does.
func base(r *http.Request) string { return r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:] }

// get gives the body of an answer.
func get(t *testing.T, c *http.Client, url string) (string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	resp, err := c.Do(r)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

// requireRefused says that err is that of a connection that nobody took.
func requireRefused(t *testing.T, err error, text string) {
	t.Helper()
	var op *net.OpError
	require.ErrorAs(t, err, &op)
	require.Equal(t, "dial", op.Op)
	require.ErrorContains(t, err, text)
}

// onPipe runs f in a bubble with a server over a pipe that h answers, and its client.
func onPipe(t *testing.T, h http.HandlerFunc, f func(t *testing.T, s *fakenet.Server, c *http.Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := fakenet.New("fake.test")
		s.Serve(h)
		c := s.Client(base)
		defer func() {
			c.CloseIdleConnections()
			require.NoError(t, s.Close())
		}()
		f(t, s, c)
	})
}

func hello(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, "hello from "+r.Host+r.URL.Path)
}

// The time of the bubble passes while a client waits: nothing of the way to the server keeps it from that.
func TestAServerOverAPipeAnswersInABubble(t *testing.T) {
	slow := func(w http.ResponseWriter, r *http.Request) { time.Sleep(time.Hour); hello(w, r) }
	onPipe(t, slow, func(t *testing.T, s *fakenet.Server, c *http.Client) {
		begin := time.Now()
		got, err := get(t, c, "http://"+s.Host()+"/a")
		require.NoError(t, err)
		require.Equal(t, "hello from fake.test/a", got)
		require.Equal(t, time.Hour, time.Since(begin))
	})
}

func TestAServerOnLoopbackIsReachedByEverybody(t *testing.T) {
	s, err := fakenet.Listen()
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	s.Serve(http.HandlerFunc(hello))
	host, port, err := net.SplitHostPort(s.Host())
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1", host)
	require.NotEqual(t, "0", port)

	stranger := &http.Client{Transport: &http.Transport{}}
	for _, c := range []*http.Client{s.Client(base), stranger} {
		got, err := get(t, c, "http://"+s.Host()+"/a")
		require.NoError(t, err)
		require.Equal(t, "hello from "+s.Host()+"/a", got)
		c.CloseIdleConnections()
	}
	require.NoError(t, s.Close())
	_, err = get(t, stranger, "http://"+s.Host()+"/a")
	require.Error(t, err, "the listener is open")
}

// While the server is down, a client that has a connection fails too: it may not go on with that.
func TestNobodyReachesAServerThatIsDown(t *testing.T) {
	onPipe(t, hello, func(t *testing.T, s *fakenet.Server, c *http.Client) {
		url := "http://" + s.Host() + "/a"
		_, err := get(t, c, url)
		require.NoError(t, err)

		s.SetDown(true)
		_, err = get(t, c, url)
		requireRefused(t, err, "dial tcp: connection refused")
		_, err = s.Dial(t.Context(), "tcp", s.Host())
		requireRefused(t, err, "dial tcp: connection refused")

		s.SetDown(false)
		_, err = get(t, c, url)
		require.NoError(t, err)
		conn, err := s.Dial(t.Context(), "tcp", s.Host())
		require.NoError(t, err)
		_ = conn.Close()
	})
}

func TestADownServerOnLoopbackRefusesItsOwnClients(t *testing.T) {
	s, err := fakenet.Listen()
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	s.Serve(http.HandlerFunc(hello))
	s.SetDown(true)
	_, err = s.Dial(t.Context(), "tcp4", s.Host())
	requireRefused(t, err, "dial tcp4: connection refused")
	s.SetDown(false)
	conn, err := s.Dial(t.Context(), "tcp4", s.Host())
	require.NoError(t, err)
	require.Equal(t, s.Host(), conn.RemoteAddr().String())
	_ = conn.Close()
}

func TestARefusedRequestNeverReachesTheServer(t *testing.T) {
	var heard []string
	h := func(w http.ResponseWriter, r *http.Request) { heard = append(heard, base(r)) }
	onPipe(t, h, func(t *testing.T, s *fakenet.Server, c *http.Client) {
		ask := func(call string) error {
			_, err := get(t, c, "http://"+s.Host()+"/api/"+call)
			return err
		}
		s.Refuse("send", 2)
		requireRefused(t, ask("send"), "dial tcp: connection refused")
		require.NoError(t, ask("edit"))
		requireRefused(t, ask("send"), "dial tcp: connection refused")
		require.NoError(t, ask("send"))
		s.Refuse("", 0)
		requireRefused(t, ask("edit"), "dial tcp: connection refused")
		require.NoError(t, ask("edit"))
		s.Refuse("", 5)
		s.ClearRefusals()
		require.NoError(t, ask("send"))
		require.Equal(t, []string{"edit", "send", "edit", "send"}, heard)
	})
}

// Being down uses no refusal up.
func TestADownServerKeepsItsRefusals(t *testing.T) {
	onPipe(t, hello, func(t *testing.T, s *fakenet.Server, c *http.Client) {
		url := "http://" + s.Host() + "/send"
		s.Refuse("send", 1)
		s.SetDown(true)
		_, err := get(t, c, url)
		requireRefused(t, err, "refused")
		s.SetDown(false)
		_, err = get(t, c, url)
		requireRefused(t, err, "refused")
		_, err = get(t, c, url)
		require.NoError(t, err)
	})
}

func TestCloseWaitsForWhatGoRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fakenet.New("fake.test")
		s.Serve(http.HandlerFunc(hello))
		var over atomic.Bool
		s.Go(func() {
			<-s.Done()
			time.Sleep(time.Hour)
			over.Store(true)
		})
		synctest.Wait()
		require.False(t, over.Load())
		select {
		case <-s.Done():
			t.Fatal("done before Close")
		default:
		}
		begin := time.Now()
		require.NoError(t, s.Close())
		require.True(t, over.Load(), "Close did not wait")
		require.Equal(t, time.Hour, time.Since(begin))
		require.NoError(t, s.Close(), "closed again")

		ran := false
		s.Go(func() { ran = true })
		synctest.Wait()
		require.False(t, ran, "run after Close")
		_, err := s.Dial(t.Context(), "tcp", s.Host())
		require.ErrorIs(t, err, net.ErrClosed)
	})
}

func TestAServerThatNeverServedCloses(t *testing.T) {
	s, err := fakenet.Listen()
	require.NoError(t, err)
	require.NoError(t, s.Close())
	_, err = s.Dial(t.Context(), "tcp", s.Host())
	require.Error(t, err, "the listener is open")
}

func TestClosingEndsAConnectionThatWaitsForItsAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fakenet.New("fake.test")
		s.Serve(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
		c := s.Client(base)
		failed := make(chan error, 1)
		go func() {
			_, err := get(t, c, "http://"+s.Host()+"/a")
			failed <- err
		}()
		synctest.Wait()
		require.NoError(t, s.Close())
		require.ErrorIs(t, <-failed, io.EOF)
		c.CloseIdleConnections()
	})
}

func TestAnswerIsSentAsItIs(t *testing.T) {
	h := func(w http.ResponseWriter, r *http.Request) {
		fakenet.Answer(w, http.StatusBadGateway, "text/html", "<html>no")
	}
	onPipe(t, h, func(t *testing.T, s *fakenet.Server, c *http.Client) {
		resp, err := c.Get("http://" + s.Host() + "/a")
		require.NoError(t, err)
		defer func() { _ = resp.Body.Close() }()
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusBadGateway, resp.StatusCode)
		require.Equal(t, "text/html", resp.Header.Get("Content-Type"))
		require.Equal(t, "<html>no", string(b))
	})
}

func TestACutConnectionGivesNoAnswer(t *testing.T) {
	calls := 0
	h := func(w http.ResponseWriter, r *http.Request) {
		calls++
		fakenet.Cut(w)
	}
	onPipe(t, h, func(t *testing.T, s *fakenet.Server, c *http.Client) {
		_, err := c.Post("http://"+s.Host()+"/a", "text/plain", strings.NewReader("x"))
		require.ErrorIs(t, err, io.EOF)
		require.Equal(t, 1, calls)
	})
	require.PanicsWithValue(t, http.ErrAbortHandler, func() { fakenet.Cut(httptest.NewRecorder()) }, "a connection that nobody can take over")
}

func TestAHungRequestEndsWithItsClient(t *testing.T) {
	var over atomic.Bool
	var s *fakenet.Server
	h := func(_ http.ResponseWriter, r *http.Request) { s.Hang(r); over.Store(true) }
	onPipe(t, h, func(t *testing.T, server *fakenet.Server, c *http.Client) {
		s = server
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Host()+"/a", nil)
		require.NoError(t, err)
		_, err = c.Do(r)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		synctest.Wait()
		require.True(t, over.Load(), "it hangs without a client")
	})
}

// A request whose context nobody ends is what a handler has that is called without a connection.
func TestAHungRequestEndsWithTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fakenet.New("fake.test")
		var over atomic.Bool
		go func() {
			s.Hang(httptest.NewRequest(http.MethodGet, "/a", nil))
			over.Store(true)
		}()
		time.Sleep(time.Hour)
		require.False(t, over.Load(), "it did not hang")
		require.NoError(t, s.Close())
		synctest.Wait()
		require.True(t, over.Load(), "it hangs after Close")
	})
}
