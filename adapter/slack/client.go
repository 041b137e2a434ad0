package slack

import (
	"io"
	"log"
	"net/http"
	"path"
	"time"

	"github.com/starlingbot/starling/internal/apiclient"
)

// silent takes the library's own log.
var silent = log.New(io.Discard, "", 0)

// client makes the requests of the library. Addresses that are secrets (response_url, the socket's ticket) are not in its errors.
type client struct {
	web  *apiclient.Client
	open func() error // nil, or asked before each apps.connections.open
}

const (
	maxAnswer = 32 << 20         // bytes read of an answer of the Web API
	maxCall   = 45 * time.Second // for one, whatever the caller's context says
)

// Do makes a request for the library.
func (c *client) Do(req *http.Request) (*http.Response, error) {
	method := path.Base(req.URL.Path)
	if method == "apps.connections.open" && c.open != nil {
		if err := c.open(); err != nil {
			return nil, &apiclient.NotSentError{Err: err}
		}
	}
	return apiclient.Bound(req, maxCall, maxAnswer, c.web.Do)
}

// now is the time by Slack's clock, to a second.
func (a *Adapter) now() time.Time { return a.web.Now() }
