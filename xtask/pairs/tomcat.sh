#!/bin/bash
# Debian's Tomcat 10 with one connector and the servlet Fixed, in a root of its own (chroot).
# tomcat.sh ROOT SOURCES PORT platform|virtual
set -e
root=$1 sources=$2 port=$3 form=$4 base=/pairs/tomcat
case $form in
platform) threads='maxThreads="200" minSpareThreads="200"' ;;
virtual) threads='useVirtualThreads="true"' ;;
*) echo "unknown form $form" >&2; exit 2 ;;
esac
mount -t proc proc "$root/proc"
java=$(chroot "$root" sh -c 'readlink -f "$(command -v java)"')
classes=$base/webapps/ROOT/WEB-INF/classes
mkdir -p "$root$base/conf" "$root$base/temp" "$root$base/logs" "$root$base/work" "$root$classes"
if [ "$sources/Fixed.java" -nt "$root$classes/Fixed.class" ]; then
    cp "$sources/Fixed.java" "$root/pairs/Fixed.java"
    chroot "$root" javac -cp /usr/share/tomcat10/lib/servlet-api.jar -d "$classes" /pairs/Fixed.java
fi
cat > "$root$base/conf/server-$form-$port.xml" <<X
<Server port="-1">
  <Service name="Catalina">
    <Connector address="127.0.0.1" port="$port" protocol="org.apache.coyote.http11.Http11NioProtocol" $threads
               maxConnections="8192" acceptCount="1024" connectionTimeout="60000" maxKeepAliveRequests="-1" tcpNoDelay="true"/>
    <Engine name="Catalina" defaultHost="localhost">
      <Host name="localhost" appBase="webapps" autoDeploy="false"/>
    </Engine>
  </Service>
</Server>
X
cp "$root/usr/share/tomcat10/etc/web.xml" "$root$base/conf/web.xml"
home=/usr/share/tomcat10
exec chroot "$root" "$java" -XX:+UseSerialGC -Xms256m -Xmx256m -Dcatalina.home=$home -Dcatalina.base=$base \
    -Djava.io.tmpdir=$base/temp -cp $home/bin/bootstrap.jar:$home/bin/tomcat-juli.jar \
    org.apache.catalina.startup.Bootstrap -config "conf/server-$form-$port.xml" start
